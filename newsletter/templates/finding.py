"""Where templates are, and which of them may be read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.errors import TemplateError

HTML, TEXT, SUBJECT = "issue.mjml", "issue.txt", "issue.subject.txt"

_INCLUDE = re.compile(r"<mj-include\s+path=\"([^\"]*)\"\s*/>")
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class TemplateFolders:
    """Folders with templates; the first one that has a file wins.

    A file is read once, so that what was checked is what is compiled, even if it is saved between.
    """

    paths: tuple[Path, ...]
    _texts: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def are_all_ours(self) -> bool:
        """Whether there are only the templates that ship, which our tests have tried."""
        return len(self.paths) == 1

    def find(self, name: str) -> Path | None:
        """A template's file; None if there is none, or if it is outside its folder."""
        for folder in self.paths:
            path = (folder / name).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        return None

    def read(self, name: str) -> str:
        """A template's text.

        Raises:
            TemplateError: there is no such template, or it is not UTF-8.
        """
        if name not in self._texts:
            file = self.find(name)
            if file is None:
                places = ", ".join(map(str, self.paths))
                raise TemplateError(f"There is no such template in {places}.", file=name)
            try:
                self._texts[name] = file.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise TemplateError("This is not UTF-8; save it as UTF-8.", file=name) from error
        return self._texts[name]

    def parts(self, name: str, depth: int = 0) -> Iterator[tuple[str, str]]:
        """Name and source of an MJML template and of everything it includes, outermost first.

        Raises:
            TemplateError: one is missing, or they include each other without end.
        """
        if depth > _MAX_DEPTH:
            raise TemplateError("This includes itself.", file=name)
        source = self.read(name)
        yield name, source
        for path in _INCLUDE.findall(source):
            yield from self.parts(path, depth + 1)

    def joined(self, name: str) -> str:
        """An MJML template with its includes in place; :meth:`parts` must have succeeded.

        MJML's own includes lack the table around an element within a column.
        """
        return _INCLUDE.sub(lambda include: self.joined(include[1]), self.read(name))


def find_folders(folder: Path | None = None) -> TemplateFolders:
    """The operator's folder, if there is one, then the folder of the templates that ship.

    That is ``templates/`` in a checkout, else the installed copy.

    Raises:
        TemplateError: the operator's folder does not exist.
    """
    package = Path(__file__).parents[1]
    checkout = package.parent / "templates"
    shipped = checkout if (checkout / HTML).is_file() else package / "_templates"
    if folder is None:
        return TemplateFolders((shipped,))
    if not folder.is_dir():
        raise TemplateError("This folder of templates does not exist.", file=str(folder))
    return TemplateFolders((folder, shipped))


def note_files(kind: str) -> tuple[str, str, str]:
    """The names of a note's templates for HTML, text and subject."""
    return f"{kind}.mjml", f"{kind}.txt", f"{kind}.subject.txt"
