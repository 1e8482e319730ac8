"""Compile the templates and try them out."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jinja2
import mjml
from jinja2.sandbox import SandboxedEnvironment

from newsletter.errors import TemplateError
from newsletter.render import Templates, longdate, set_issue, wrap
from newsletter.render.setting import BLOCKS
from newsletter.templates.finding import HTML, SUBJECT, TEXT, Folders, folders
from newsletter.templates.linting import check_names, check_tags
from newsletter.templates.specimens import PUBLICATIONS, SPECIMENS
from newsletter.text import shorten


def load(folder: Path | None = None) -> Templates:
    """The compiled templates, tried out on specimen papers.

    Raises:
        TemplateError: a template is missing, cannot be compiled, or cannot set the specimens.
    """
    where = folders(folder)
    html = compiled(where)
    templates = Templates(
        html=environment(where, {HTML: html}, autoescape=True).get_template(HTML),
        text=_plain(where, TEXT),
        subject=_plain(where, SUBJECT),
    )
    for name, template in ((HTML, templates.html), (TEXT, templates.text)):
        if missing := sorted(BLOCKS - set(template.blocks)):
            raise TemplateError(f"These blocks are missing: {', '.join(missing)}.", file=name)
    _try_out(templates, where)
    return templates


def compiled(where: Folders) -> str:
    """The Jinja template that ``issue.mjml`` compiles to.

    Raises:
        TemplateError: as in :func:`load`.
    """
    source = where.read(HTML)
    check_tags(where, source, HTML)
    check_names(_wrapped(source), HTML)
    try:
        html = mjml.mjml2html(source, disable_comments=True, fonts={}, include_loader=where.read)
    except ValueError as error:
        raise TemplateError(f"This is not MJML: {error}.", file=HTML) from error
    return _wrapped(html)


def environment(
    where: Folders, sources: dict[str, str], *, autoescape: bool
) -> SandboxedEnvironment:
    """A sandbox for these sources, and for what they include from the folders."""
    made = SandboxedEnvironment(
        loader=jinja2.FunctionLoader(partial(_source, where, sources)),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(longdate=longdate, shorten=shorten, wrap=wrap)
    return made


def _source(where: Folders, sources: dict[str, str], name: str) -> str | None:
    if name in sources:
        return sources[name]
    return where.read(name) if where.find(name) else None


def _plain(where: Folders, name: str) -> jinja2.Template:
    source = where.read(name)
    check_names(source, name)
    return environment(where, {name: source}, autoescape=False).get_template(name)


def _wrapped(source: str) -> str:
    """The file's first block begins, and its last one ends, by itself."""
    return f"{{% block opening %}}{source}{{% endblock %}}"


def _try_out(templates: Templates, where: Folders) -> None:
    """Set specimens: a paper of which all is known and one of which little is, with a site or not.

    A fault in the templates is found here and not in the morning.
    """
    for publication in PUBLICATIONS:
        try:
            _, faults = set_issue(SPECIMENS, publication, templates)
        except TemplateError as error:
            raise _located(error.problem, where) from error
        for _, fault in faults:
            raise _located(fault, where)


def _located(problem: str, where: Folders) -> TemplateError:
    """The error with file and line, found by the word the problem is about."""
    file = next((name for name in (HTML, TEXT, SUBJECT) if name in problem), "")
    words: Sequence[str] = re.findall(r"'(\w+)'", problem)
    lines = where.read(file).splitlines() if file else []
    for number, line in enumerate(lines, 1):
        if words and re.search(rf"\.{words[-1]}\b|\b{words[0]}\b", line):
            return TemplateError(problem, file=file, line=number)
    return TemplateError(problem, file=file)
