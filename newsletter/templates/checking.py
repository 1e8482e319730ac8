"""Everything that is wrong with a folder of templates, not the first thing alone."""

import difflib
from collections.abc import Iterator
from pathlib import Path

from newsletter.errors import TemplateError
from newsletter.letter.rendering import NOTES
from newsletter.templates.compiling import load_note_templates, load_templates, wrap_in_opening
from newsletter.templates.finding import HTML, SUBJECT, TEXT, TemplateFolders, find_folders
from newsletter.templates.linting import (
    ISSUE_VARIABLES,
    NOTE_VARIABLES,
    find_include_errors,
    find_jinja_errors,
    find_mjml_errors,
)

_WRITTEN = frozenset({".mjml", ".txt", ".jinja", ".html"})
"""How the names of templates end."""


def find_template_errors(folder: Path | None = None) -> tuple[TemplateError, ...]:
    """All faults of the templates, those of an operator's folder going before the own ones.

    Each file is looked at for itself; only where nothing is found so are they compiled, and tried
    out in every theme.

    Raises:
        TemplateError: the folder does not exist.
    """
    where = find_folders(folder)
    found = {str(fault): fault for fault in _in_files(where)}
    if not found:
        found = {str(fault): fault for fault in _tried(folder, where)}
    return tuple(sorted(found.values(), key=lambda fault: (fault.file, fault.line or 0)))


def _in_files(where: TemplateFolders) -> Iterator[TemplateError]:
    yield from _strays(where)
    yield from _of_letter(where, HTML, TEXT, SUBJECT, ISSUE_VARIABLES, issue=True)
    for kind, words in NOTES.items():
        names = (f"{kind}.mjml", f"{kind}.txt", f"{kind}.subject.txt")
        yield from _of_letter(where, *names, NOTE_VARIABLES | set(words), issue=False)
    for theme in list_themes(where):
        name = f"themes/{theme}.jinja"
        yield from find_jinja_errors(where.read(name), name, frozenset())


def _of_letter(
    where: TemplateFolders,
    html: str,
    text: str,
    subject: str,
    given: frozenset[str],
    *,
    issue: bool,
) -> Iterator[TemplateError]:
    try:
        parts = list(where.parts(html))
        plain = [(name, where.read(name)) for name in (text, subject)]
    except TemplateError as error:
        yield error
        return
    for name, source in parts:
        yield from find_mjml_errors(where, source, name)
        yield from _of_jinja(where, wrap_in_opening(source) if issue else source, name, given)
    for name, source in plain:
        yield from _of_jinja(where, source, name, given)


def _of_jinja(
    where: TemplateFolders, source: str, name: str, given: frozenset[str]
) -> Iterator[TemplateError]:
    found = find_jinja_errors(source, name, given)
    yield from found
    if not found:
        yield from find_include_errors(where, source, name)


def _tried(folder: Path | None, where: TemplateFolders) -> Iterator[TemplateError]:
    for theme in list_themes(where):
        try:
            load_templates(folder, theme)
            for kind in NOTES:
                load_note_templates(kind, folder, theme)
        except TemplateError as error:
            yield error


def list_themes(where: TemplateFolders) -> list[str]:
    """The themes there are, by name."""
    return sorted({path.stem for folder in where.paths for path in folder.glob("themes/*.jinja")})


def _strays(where: TemplateFolders) -> Iterator[TemplateError]:
    """Files of the operator's that no template of ours is called, and none includes."""
    *others, own = where.paths
    known = {str(path.relative_to(own)) for path in own.rglob("*") if path.is_file()}
    used = known | {name for root in _roots() for name in _parts(where, root)}
    for folder in others:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if path.suffix in _WRITTEN and name not in used and path.is_file():
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else "include it, or take it away."
                yield TemplateError(f"Nothing uses this file; {hint}", file=name)


def _roots() -> Iterator[str]:
    yield HTML
    yield from (f"{kind}.mjml" for kind in NOTES)


def _parts(where: TemplateFolders, root: str) -> Iterator[str]:
    try:
        yield from (name for name, _ in where.parts(root))
    except TemplateError:  # what is missing is told where it is included
        return
