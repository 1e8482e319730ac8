"""Everything that is wrong with a folder of templates, not the first thing alone."""

import difflib
from collections.abc import Iterator
from pathlib import Path

from newsletter.errors import TemplateError
from newsletter.letter.notes import NOTES
from newsletter.templates.compiling import load, load_note, opening_wrapped
from newsletter.templates.finding import HTML, SUBJECT, TEXT, Folders, folders
from newsletter.templates.linting import ISSUE, NOTE, name_faults, partial_faults, tag_faults

_WRITTEN = frozenset({".mjml", ".txt", ".jinja", ".html"})
"""How the names of templates end."""


def check(folder: Path | None = None) -> tuple[TemplateError, ...]:
    """All faults of the templates, those of an operator's folder going before the own ones.

    Each file is looked at for itself; only where nothing is found so are they compiled, and tried
    out in every theme.

    Raises:
        TemplateError: the folder does not exist.
    """
    where = folders(folder)
    found = {str(fault): fault for fault in _in_files(where)}
    if not found:
        found = {str(fault): fault for fault in _tried(folder, where)}
    return tuple(sorted(found.values(), key=lambda fault: (fault.file, fault.line or 0)))


def _in_files(where: Folders) -> Iterator[TemplateError]:
    yield from _strays(where)
    yield from _of_letter(where, HTML, TEXT, SUBJECT, ISSUE, issue=True)
    for kind, words in NOTES.items():
        names = (f"{kind}.mjml", f"{kind}.txt", f"{kind}.subject.txt")
        yield from _of_letter(where, *names, NOTE | set(words), issue=False)
    for theme in themes(where):
        name = f"themes/{theme}.jinja"
        yield from name_faults(where.read(name), name, frozenset())


def _of_letter(
    where: Folders, html: str, text: str, subject: str, given: frozenset[str], *, issue: bool
) -> Iterator[TemplateError]:
    try:
        parts = list(where.parts(html))
        plain = [(name, where.read(name)) for name in (text, subject)]
    except TemplateError as error:
        yield error
        return
    for name, source in parts:
        yield from tag_faults(where, source, name)
        yield from _of_jinja(where, opening_wrapped(source) if issue else source, name, given)
    for name, source in plain:
        yield from _of_jinja(where, source, name, given)


def _of_jinja(
    where: Folders, source: str, name: str, given: frozenset[str]
) -> Iterator[TemplateError]:
    found = name_faults(source, name, given)
    yield from found
    if not found:
        yield from partial_faults(where, source, name)


def _tried(folder: Path | None, where: Folders) -> Iterator[TemplateError]:
    for theme in themes(where):
        try:
            load(folder, theme)
            for kind in NOTES:
                load_note(kind, folder, theme)
        except TemplateError as error:
            yield error


def themes(where: Folders) -> list[str]:
    """The themes there are, by name."""
    return sorted({path.stem for folder in where.paths for path in folder.glob("themes/*.jinja")})


def _strays(where: Folders) -> Iterator[TemplateError]:
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


def _parts(where: Folders, root: str) -> Iterator[str]:
    try:
        yield from (name for name, _ in where.parts(root))
    except TemplateError:  # what is missing is told where it is included
        return
