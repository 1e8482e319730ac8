"""The operator's page: how things stand, read-only, behind a password (RFC 7617)."""

import base64
import hmac
from dataclasses import dataclass
from datetime import date

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.model import Counts, Suppression, Wave
from newsletter.web.browser import Form
from newsletter.web.context import PageContext, shows
from newsletter.web.growth import SPAN, growth
from newsletter.web.metrics import exposition

SHOWN = 14
"""Issues looked back on."""

SAID = 20
"""Reasons to leave, and readers that bounces block, that are shown."""

HEIGHT = 100
"""Of the plot's highest bar, in its own units."""


@dataclass(frozen=True, slots=True)
class Line:
    """An issue's line in the table, and its bar in the plot."""

    day: date
    state: str
    counts: Counts
    height: float


@dataclass(frozen=True, slots=True)
class OperatorPages:
    """The operator's page.

    Attributes:
        page_context: what all pages share.
    """

    page_context: PageContext

    @property
    def routes(self) -> list[BaseRoute]:
        """The page, and the same in numbers."""
        return [Route("/operator", shows(self.overview)), Route("/metrics", shows(self.metrics))]

    def overview(self, request: Request, _form: Form) -> Response:
        """How things stand, for whoever knows the password."""
        if (refusal := self._refused(request)) is not None:
            return refusal
        store = self.page_context.publisher.store
        days = store.days()[:SHOWN]
        return self.page_context.pages.show(
            "operator",
            tally=store.tally(),
            growth=growth(store.daily_growth(), self.page_context.now.date()),
            span=SPAN,
            lines=self._lines(days),
            sources=store.sources().values(),
            heartbeats=store.heartbeats(),
            blocked=_blocked(store.suppressed()),
            farewells=store.farewells(limit=SAID),
            quarantined=_quarantined(store.waves(days[0])) if days else (),
        )

    def metrics(self, request: Request, _form: Form) -> Response:
        """The same for Prometheus, behind the same password."""
        return self._refused(request) or exposition(
            self.page_context.publisher.store, self.page_context.now
        )

    def _refused(self, request: Request) -> Response | None:
        """What somebody is told who does not know the password; None for who does."""
        if self.page_context.operator_password is None:
            raise HTTPException(404, "There is no such page.")
        if _knows(request, self.page_context.operator_password):
            return None
        challenge = {"WWW-Authenticate": 'Basic realm="operator", charset="UTF-8"'}
        return PlainTextResponse("This page is the operator's.", 401, headers=challenge)

    def _lines(self, days: tuple[date, ...]) -> list[Line]:
        store = self.page_context.publisher.store
        counted = [(day, store.issue_state(day), store.counts(day)) for day in days]
        most = max((counts.planned for _, _, counts in counted), default=0) or 1
        return [
            Line(day, stands[0] if stands else "", counts, HEIGHT * counts.planned / most)
            for day, stands, counts in counted
        ]


def _quarantined(waves: tuple[Wave, ...]) -> tuple[tuple[str, str], ...]:
    """The papers that could not be set, with why."""
    return tuple(fault for wave in waves for fault in wave.issue.quarantined)


def _blocked(suppressed: tuple[Suppression, ...]) -> list[tuple[date, str]]:
    """Since when readers are blocked and by what, the last first; no address, no server's words."""
    last = sorted(suppressed, key=lambda each: each.since, reverse=True)[:SAID]
    return [(each.since.date(), each.why.partition(":")[0]) for each in last]


def _knows(request: Request, password: str) -> bool:
    """Whether the request carries the password; compared in constant time."""
    scheme, _, coded = request.headers.get("authorization", "").partition(" ")
    try:
        said = base64.b64decode(coded, validate=True).partition(b":")[2]
    except ValueError:  # no base64, or not even ASCII
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(said, password.encode())
