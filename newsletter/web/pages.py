"""Setting a page: templates of ``web/``, with what every page may name."""

from email.utils import format_datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import jinja2
from starlette.responses import HTMLResponse, Response

from newsletter.config.subscribers import WEEKDAYS
from newsletter.errors import TemplateError
from newsletter.model import Publication
from newsletter.templates import TemplateFolders, find_folders, make_environment

AREAS = (
    "Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Europe/",
    "Indian/", "Pacific/",
)  # fmt: skip
"""How the time zones begin that people live in."""

STYLE = "web/door.css"
NAMES = (
    "archive.html", "confirm.html", "confirmed.html", "edition.html", "erased.html",
    "farewell.html", "feed.atom", "feed.rss", "issue.html", "join.html", "move.html",
    "operator.html", "paper.html", "preferences.html", "problem.html", "refused.html",
    "search.html", "sent.html", "topic.html", "unsubscribe.html",
)  # fmt: skip
"""Every page and feed there is a template for."""


class Pages:
    """The templates of the readers' pages, the operator's own first.

    Attributes:
        base: what every path on the site begins with; empty without a path prefix.

    Raises:
        TemplateError: a template is missing, or is no Jinja.
    """

    def __init__(self, publication: Publication, folder: Path | None) -> None:
        where = find_folders(folder)
        self.base = urlsplit(publication.url or "").path.rstrip("/")
        self.site = (publication.url or "").rstrip("/")
        self.style = where.read(STYLE)
        self._set = make_environment(where, {}, autoescape=True)
        self._set.filters["maildate"] = format_datetime
        self._set.globals.update(
            base=self.base,
            site=self.site,
            publication=publication,
            zones=zones(),
            weekdays=WEEKDAYS,
        )
        for name in NAMES:
            self._compile(where, name)

    def _compile(self, where: TemplateFolders, name: str) -> None:
        """Find a fault in a template now, and not when somebody asks for the page."""
        where.read(f"web/{name}")
        try:
            self._set.get_template(f"web/{name}")
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                f"{error.message}.", file=f"web/{name}", line=error.lineno
            ) from error

    def show(self, name: str, status: int = 200, /, **values: object) -> Response:
        """A page of this template."""
        return HTMLResponse(self.text(f"{name}.html", **values), status)

    def text(self, name: str, /, **values: object) -> str:
        """What a template says."""
        return self._set.get_template(f"web/{name}").render(**values)


@cache
def script() -> str:
    """htmx, as ``newsletter/data`` ships it."""
    return files("newsletter").joinpath("data/htmx.min.js").read_text(encoding="utf-8")


@cache
def zones() -> tuple[str, ...]:
    """The time zones offered, by name."""
    return ("UTC", *sorted(zone for zone in available_timezones() if zone.startswith(AREAS)))
