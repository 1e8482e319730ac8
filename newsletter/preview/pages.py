"""The preview page's answers: the page, the letter in it, and what the page asks for besides."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import get_args
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from newsletter.config.fields import address
from newsletter.config.rules import rule_warnings
from newsletter.config.subscribers import subscriber_from_entry
from newsletter.config.yaml_file import Value
from newsletter.errors import NewsletterError
from newsletter.issue.editions import MAX_HTML_BYTES
from newsletter.model import Subscriber, Verdict
from newsletter.preview.builder import THEMES, BuiltLetter, PreviewBuilder
from newsletter.preview.letter import (
    Choice,
    Scheme,
    anchor,
    force_scheme,
    mark_titles,
    parse_choice,
)
from newsletter.preview.lint import LintResult, Severity, check_spam, lint
from newsletter.preview.others import SHORT_EMAILS, WEB, WEB_PAGES
from newsletter.publisher.previewing import dry_run, preview_filter
from newsletter.publisher.publisher import Publisher
from newsletter.templates import find_folders, make_environment, template_reference
from newsletter.web.forms import read_form
from newsletter.web.guard import COMMON_HEADERS
from newsletter.web.listening import LOOPBACK

HOSTS = (LOOPBACK, "localhost")  # a request under another name is a DNS rebinding attack

LETTER_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""A letter runs no script, loads nothing and sends nothing; the page around it may read it."""

PAGE_HEADERS = COMMON_HEADERS | {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
}

FILTER_DAYS = 14  # how many days a filter is tried on
PAPERS_SHOWN = 8  # papers shown of the last matches, and of the near misses


def refuse_foreign(scope: Scope) -> Response | None:
    """Refuse a request for another host, or one that another site caused."""
    _, port = scope["server"]
    own = {f"{host}:{port}" for host in HOSTS}
    headers = Headers(scope=scope)
    if headers.get("host", "").lower() not in own:
        return PlainTextResponse("This page answers only at its own address.", 400)
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() not in own
    if foreign or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return PlainTextResponse("Requests from other sites are refused.", 403)
    return None


def typed_filter(publisher: Publisher, query: Mapping[str, str]) -> Subscriber:
    """A reader with the filter that somebody typed.

    The query has ``topic`` (a name), ``wish`` (in plain words, one per line), ``include`` and
    ``exclude`` (one rule per line).

    Raises:
        InvalidFileError: a rule or a topic has a mistake.
    """
    entry: dict[str, Value] = {"email": publisher.publication.sender_email}
    wished = [f"about: {line.removeprefix('about:')}" for line in _lines(query, "wish")]
    entry["include"] = [*wished, *_lines(query, "include")]
    entry["exclude"] = [*_lines(query, "exclude")]
    if topic := query.get("topic", ""):
        entry["topics"] = [topic]
    return subscriber_from_entry(entry, publisher.known_topics, publisher.matcher)


def _lines(query: Mapping[str, str], field: str) -> list[str]:
    """The lines of a field that are not empty."""
    return [text for line in query.get(field, "").splitlines() if (text := line.strip())]


class ChangeNotifier:
    """Tells every open page with server-sent events how often something has changed."""

    def __init__(self) -> None:
        self.number = 0
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Tell the open pages that something changed."""
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def events(self) -> AsyncIterator[str]:
        """The number as events: as it is now, then each time it grows."""
        sent = -1
        while True:
            if sent == self.number:
                await self._changed.wait()
            sent = self.number
            yield f"data: {sent}\n\n"


class PreviewPages:
    """The preview page of a newsletter; it shows ``default`` before anything is chosen."""

    def __init__(self, builder: PreviewBuilder, notifier: ChangeNotifier, default: Choice) -> None:
        self._builder, self._notifier, self._default = builder, notifier, default
        folders = find_folders()
        self._files = {name: folders.read(f"web/{name}") for name in ("proof.css", "proof.js")}
        self._environment = make_environment(folders, {}, autoescape=True)

    @property
    def routes(self) -> list[BaseRoute]:
        """The page's addresses."""
        return [
            Route("/", self.index),
            Route("/letter.html", self.letter_html),
            Route("/letter.txt", self.letter_text),
            Route("/letter.eml", self.letter_source),
            Route("/spam", self.spam),
            Route("/templates", self.templates),
            Route("/trial", self.trial),
            Route("/test", self.send_test, methods=["POST"]),
            Route("/events", self.events),
            Mount(WEB, self.web),
            Route("/proof.css", self.file),
            Route("/proof.js", self.file),
        ]

    async def index(self, request: Request) -> Response:
        """The page; opening or reloading it also shows what is new in the store."""
        choice = self._parse_choice(request.query_params)
        if choice.page in WEB_PAGES:
            return self._web_page(choice)
        opened = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
        built, problem = self._build(choice, again=opened)
        is_issue = bool(built) and not choice.page
        verdicts = self._builder.verdicts(choice) if is_issue else ()
        return self._page(
            choice,
            built=built,
            verdicts=verdicts,
            anchors=_anchors(built, verdicts) if built else {},
            problem=problem,
            findings=lint(built.letter, to_many=is_issue) if built else [],
        )

    def _web_page(self, choice: Choice) -> Response:
        """The page with one of the readers' own in it."""
        try:
            path, problem = self._builder.web_path(choice), ""
        except NewsletterError as error:
            path, problem = "", str(error)
        return self._page(choice, web=path, problem=problem)

    async def web(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The readers' pages; the first folder of the path names their scheme."""
        name = scope["path"].removeprefix(f"{WEB}/").partition("/")[0]
        scheme = next((each for each in get_args(Scheme) if each == name), None)
        try:
            pages = self._builder.web_pages(scheme) if scheme else PlainTextResponse("", 404)
        except NewsletterError as error:
            pages = PlainTextResponse(str(error), 503)
        await pages(scope, receive, send)

    def _page(self, choice: Choice, **values: object) -> Response:
        builder = self._builder
        return self._render(
            "proof.html",
            choice=choice,
            errors=builder.errors,
            short_emails=SHORT_EMAILS,
            web_pages=WEB_PAGES,
            reference=template_reference(),
            days=builder.list_days(choice.day),
            readers=builder.list_readers(),
            themes=THEMES,
            limit=MAX_HTML_BYTES,
            number=self._notifier.number,
            settings=builder.app.settings,
            filter_days=FILTER_DAYS,
            **{"built": None, "web": "", **values},
        )

    async def letter_html(self, request: Request) -> Response:
        """The letter's HTML part, as a screen of the chosen scheme shows it."""
        choice = self._parse_choice(request.query_params)
        marked, _ = mark_titles(self._get(request).letter.html)
        shown = force_scheme(choice.scheme, marked)
        return HTMLResponse(shown, headers={"Content-Security-Policy": LETTER_POLICY})

    async def letter_text(self, request: Request) -> Response:
        """The letter's text part."""
        return PlainTextResponse(self._get(request).letter.text)

    async def letter_source(self, request: Request) -> Response:
        """The bytes that would be sent."""
        return Response(self._get(request).content, media_type="text/plain")

    async def spam(self, request: Request) -> Response:
        """The spam filter's score of the letter."""
        finding = await check_spam(self._get(request).content)
        return self._render("proof.finding.html", finding=finding)

    async def templates(self, _request: Request) -> Response:
        """The errors in any template, those of notes included."""
        errors = "; ".join(str(error) for error in self._builder.template_errors())
        severity: Severity = "wrong" if errors else "fine"
        finding = LintResult(severity, "templates", errors or "nothing found")
        return self._render("proof.finding.html", finding=finding)

    async def trial(self, request: Request) -> Response:
        """What a filter would have brought."""
        choice = self._parse_choice(request.query_params)
        try:
            publisher = self._builder.publisher(choice.theme)
            reader = typed_filter(publisher, request.query_params)
            previews = preview_filter(publisher, reader, choice.day, FILTER_DAYS)
        except NewsletterError as error:
            return self._render("proof.said.html", ok=False, message=str(error))
        return self._render(
            "proof.trial.html",
            notes=[
                *rule_warnings(reader, self._builder.app.settings.paper_fields, publisher.matcher)
            ],
            days=[(each.day, len(each.included), each.papers) for each in reversed(previews)],
            matches=[paper for each in previews for paper in each.included][:PAPERS_SHOWN],
            near_misses=[paper for each in previews for paper in each.near_misses][:PAPERS_SHOWN],
        )

    async def send_test(self, request: Request) -> Response:
        """Send the letter to an address, through the configured server."""
        fields = (await read_form(request)).first_values()
        choice = self._parse_choice(fields)
        try:
            to = address(fields.get("to", ""))
            await dry_run([self._builder.build_for(choice, to)], self._builder.app.transport())
        except (NewsletterError, ValueError) as error:
            return self._render("proof.said.html", ok=False, message=f"Not sent: {error}")
        message = f"Sent to {to}. Its links change nothing."
        return self._render("proof.said.html", ok=True, message=message)

    async def events(self, _request: Request) -> Response:
        """Server-sent events that tell an open page to load itself again."""
        return StreamingResponse(self._notifier.events(), media_type="text/event-stream")

    async def file(self, request: Request) -> Response:
        """The page's style or script."""
        name = request.url.path.removeprefix("/")
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return Response(self._files[name], media_type=kind)

    def _parse_choice(self, query: Mapping[str, str]) -> Choice:
        return parse_choice(query, self._default, THEMES, {*SHORT_EMAILS, *WEB_PAGES})

    def _build(self, choice: Choice, *, again: bool) -> tuple[BuiltLetter | None, str]:
        """The letter, or None and why there is none."""
        try:
            return (self._builder.build if again else self._builder.get)(choice), ""
        except NewsletterError as error:
            return None, str(error)

    def _get(self, request: Request) -> BuiltLetter:
        """The letter that a request is about; raises HTTPException (404) if it cannot be built."""
        try:
            return self._builder.get(self._parse_choice(request.query_params))
        except NewsletterError as error:
            raise HTTPException(404, str(error)) from error

    def _render(self, name: str, **values: object) -> Response:
        return HTMLResponse(self._environment.get_template(f"web/{name}").render(**values))


def _anchors(built: BuiltLetter, verdicts: Iterable[Verdict]) -> Mapping[str, str]:
    """For each title that has a card or a row in the letter, the name of its anchor."""
    _, found = mark_titles(built.letter.html)
    names = {each.title: anchor(each.title) for each in verdicts if each.included}
    return {title: name for title, name in names.items() if name in found}
