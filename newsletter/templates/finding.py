"""Where templates are, and what may be read of there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.errors import TemplateError

HTML, TEXT, SUBJECT = "issue.mjml", "issue.txt", "issue.subject.txt"

_INCLUDE = re.compile(r"<mj-include\s+path=\"([^\"]*)\"\s*/>")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class TemplateFolders:
    """Where templates are looked for: the first folder that has one wins.

    Each template is read once: what is looked at is what is compiled, whoever saves it meanwhile.
    """

    paths: tuple[Path, ...]
    _texts: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def find(self, name: str) -> Path | None:
        """The file of a template; None for what is not there or lies outside its folder."""
        for folder in self.paths:
            path = (folder / name).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        return None

    def read(self, path: str) -> str:
        """A template's text.

        Raises:
            TemplateError: there is none of that name, or it is not UTF-8.
        """
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str:
        file = self.find(path)
        if file is None:
            places = ", ".join(str(folder) for folder in self.paths)
            raise TemplateError(f"There is no such template in {places}.", file=path)
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise TemplateError("This is not UTF-8; save it as UTF-8.", file=path) from error

    def parts(self, name: str, depth: int = 0) -> Iterator[tuple[str, str]]:
        """An MJML template and all that it includes, each before its own includes.

        Yields:
            Name and source of each.

        Raises:
            TemplateError: one is missing, or they include each other without end.
        """
        if depth > _DEEPEST:
            raise TemplateError("This includes itself.", file=name)
        source = self.read(name)
        yield name, source
        for path in _INCLUDE.findall(source):
            yield from self.parts(path, depth + 1)

    def joined(self, name: str) -> str:
        """An MJML template with its includes in place, :meth:`parts` having been looked at.

        The compiler's own way with includes leaves out the table around an element in a column.
        """
        return _INCLUDE.sub(lambda include: self.joined(include[1]), self.read(name))


def find_folders(folder: Path | None = None) -> TemplateFolders:
    """The operator's folder, where there is one, then the newsletter's own.

    Its own is ``templates/`` of the checkout the package runs from, else the installed copy.

    Raises:
        TemplateError: the operator's folder does not exist.
    """
    package = Path(__file__).parents[1]
    checkout = package.parent / "templates"
    own = checkout if (checkout / HTML).is_file() else package / "_templates"
    if folder is None:
        return TemplateFolders((own,))
    if not folder.is_dir():
        raise TemplateError("This folder of templates does not exist.", file=str(folder))
    return TemplateFolders((folder, own))
