"""Everything that is wrong with a folder of templates, and not only the first error."""

from collections.abc import Iterator
from pathlib import Path

from newsletter.errors import TemplateError
from newsletter.letter.rendering import NOTES
from newsletter.templates.compiling import load_note_templates, load_templates
from newsletter.templates.fields import ISSUE_VARIABLES, did_you_mean, note_variables
from newsletter.templates.finding import (
    HTML,
    SUBJECT,
    TEXT,
    TemplateFolders,
    find_folders,
    note_files,
)
from newsletter.templates.linting import find_jinja_errors, find_letter_errors

_SUFFIXES = frozenset({".mjml", ".txt", ".jinja", ".html"})  # how the names of templates end


def find_template_errors(folder: Path | None = None) -> tuple[TemplateError, ...]:
    """All errors in an operator's templates and in those that ship.

    Each file is linted. If that finds nothing, the templates are compiled and tried in every theme.

    Raises:
        TemplateError: the folder does not exist.
    """
    folders = find_folders(folder)
    errors = {str(error): error for error in _lint(folders)}
    if not errors:
        errors = {str(error): error for error in _compile(folder, folders)}
    return tuple(sorted(errors.values(), key=lambda error: (error.file, error.line or 0)))


def _lint(folders: TemplateFolders) -> Iterator[TemplateError]:
    yield from _unused_files(folders)
    yield from _lint_letter(folders, (HTML, TEXT, SUBJECT), ISSUE_VARIABLES)
    for kind in NOTES:
        yield from _lint_letter(folders, note_files(kind), note_variables(kind))
    for theme in _themes(folders):
        name = f"themes/{theme}.jinja"
        yield from find_jinja_errors(folders.read(name), name, frozenset())


def _lint_letter(
    folders: TemplateFolders, names: tuple[str, str, str], variables: frozenset[str]
) -> Iterator[TemplateError]:
    try:
        yield from find_letter_errors(folders, names, variables)
    except TemplateError as error:
        yield error


def _compile(folder: Path | None, folders: TemplateFolders) -> Iterator[TemplateError]:
    for theme in _themes(folders):
        try:
            load_templates(folder, theme, try_ours=True)
            for kind in NOTES:
                load_note_templates(kind, folder, theme)
        except TemplateError as error:
            yield error


def _themes(folders: TemplateFolders) -> list[str]:
    return sorted({path.stem for folder in folders.paths for path in folder.glob("themes/*.jinja")})


def _unused_files(folders: TemplateFolders) -> Iterator[TemplateError]:
    """Files of the operator's that replace no shipped template and that no template includes."""
    *own, shipped = folders.paths
    known = {str(path.relative_to(shipped)) for path in shipped.rglob("*") if path.is_file()}
    roots = (HTML, *(f"{kind}.mjml" for kind in NOTES))
    used = known | {name for root in roots for name in _part_names(folders, root)}
    for folder in own:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if path.suffix in _SUFFIXES and name not in used and path.is_file():
                near = did_you_mean(name, known)
                hint = "; include it or remove it." if near == "." else near
                yield TemplateError(f"Nothing uses this file{hint}", file=name)


def _part_names(folders: TemplateFolders, root: str) -> Iterator[str]:
    try:
        yield from (name for name, _ in folders.parts(root))
    except TemplateError:  # the lint of the letter reports it
        return
