"""What the readers' pages share: the newsletter, the page templates, and how they take requests."""

from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from newsletter.bounces.webhooks import Webhook
from newsletter.config.api import ApiTokenSettings
from newsletter.config.sources import EVERY_FIELD
from newsletter.errors import TemplateError
from newsletter.issue.composing import name_reason
from newsletter.letter.links import Purpose, sign_token
from newsletter.model import CADENCES, WEEKDAYS, Publication, Reader, Topic
from newsletter.model.zones import AREAS, load_zone, zone_names
from newsletter.papers.searching import ArchiveSearch
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.welcoming import plan_first_letter
from newsletter.readers.due import DefaultSchedule, choice_words, chosen_cadence
from newsletter.readers.operating import OperatorService
from newsletter.readers.service import Note, ReaderService
from newsletter.templates import find_folders, make_environment
from newsletter.web.forms import MAX_PACKED, Form, read_form, with_rules, with_wishes
from newsletter.web.limits import RateLimit
from newsletter.web.mail_queue import MailQueue, Send
from newsletter.web.page_cache import PageCache

MINUTE = timedelta(minutes=1)
TRIES, ALL_TRIES = 600, 1_200
"""How often a minute one client, which may be a whole campus, and all together may try wishes."""
SEARCHES = 120
"""How often a minute one client may search the archive."""

STYLE = "web/door.css"
TEMPLATE_NAMES = (
    "archive.html", "busy.html", "confirm.html", "confirmed.html", "edition.html", "erased.html",
    "farewell.html", "feed.atom", "feed.rss", "found.html", "issue.html", "join.html", "like.html",
    "move.html",
    "operator.html", "operator-reader.html", "operator-readers.html", "operator-sure.html",
    "paper.html", "preferences.html", "problem.html", "question.html", "refused.html",
    "search.html", "sent.html", "topic.html", "unsubscribe.html",
)  # fmt: skip
"""Every page and feed that has a template."""


class PageTemplates:
    """The templates of the readers' pages; an operator's own come first.

    ``base`` is what every path on the site begins with; it is empty without a path prefix.

    Raises:
        TemplateError: a template is missing or has a syntax error.
    """

    def __init__(self, publication: Publication, folder: Path | None) -> None:
        where = find_folders(folder)
        url = publication.url or ""
        self.base = urlsplit(url).path.rstrip("/")
        self.style = where.read(STYLE)
        self._environment = make_environment(where, {}, autoescape=True)
        zone = load_zone(publication.timezone)
        self._environment.filters.update(
            by_group=topics_by_group,
            in_short=name_reason,
            maildate=format_datetime,
            nearday=near_day,
            shortdate=short_date,
            moment=lambda at, *, year=False: (
                f"{short_date(at.astimezone(zone), year=year)}, {at.astimezone(zone):%H:%M}"
            ),
        )
        self._environment.globals.update(
            base=self.base,
            site=url.rstrip("/"),
            publication=publication,
            zones=list_zones(),
            weekdays=WEEKDAYS,
            cadences=CADENCES,
        )
        # Mistakes must be found at the start and not when a reader asks for the page.
        for name in (f"web/{name}" for name in TEMPLATE_NAMES):
            where.read(name)
            try:
                self._environment.get_template(name)
            except jinja2.TemplateSyntaxError as error:
                raise TemplateError(f"{error.message}.", file=name, line=error.lineno) from error

    def page(self, name: str, status: int = 200, /, **values: object) -> Response:
        """The answer with this page; ``name`` is without ``.html``."""
        return HTMLResponse(self.render(f"{name}.html", **values), status)

    def redirect(self, path: str, status: int = 303) -> Response:
        """Send the browser to another page: from a form to its result, which can be loaded again.

        The address has no host, since the one that the request names may be anybody's.
        """
        return RedirectResponse(f"{self.base}{path}", status)

    def render(self, name: str, /, **values: object) -> str:
        """The text that a template gives for these values."""
        return self._environment.get_template(f"web/{name}").render(**values)


def topics_by_group(topics: Iterable[Topic]) -> Sequence[tuple[str, Sequence[Topic]]]:
    """Topics under the names of their groups, in the order in which the groups begin."""
    groups: dict[str, list[Topic]] = {}
    for topic in topics:
        groups.setdefault(topic.group, []).append(topic)
    return [*groups.items()]


def short_date(day: date, *, year: bool = False) -> str:
    """A day as people say it: ``Mon 3 Aug``, or with its year ``3 Aug 2026``."""
    return f"{day.day} {day:%b %Y}" if year else f"{day:%a} {day.day} {day:%b}"


def near_day(day: date) -> str:
    """A day of the next weeks as people say it: ``Monday 17 August``."""
    return f"{day:%A} {day.day} {day:%B}"


@cache
def list_zones() -> tuple[str, ...]:
    """The names of the time zones that a form offers."""
    return ("UTC", *sorted(zone for zone in zone_names() if zone.startswith(AREAS)))


@dataclass(frozen=True, slots=True)
class PageContext:
    """The newsletter as its pages know it; without a password it has no operator's page.

    ``webhooks``: those of mail services that have settings, by the service's name. Without
    ``api_tokens`` it has no API. ``plain_words``: wishes are understood by their meaning.
    """

    publisher: Publisher
    reader_service: ReaderService
    default_schedule: DefaultSchedule
    templates: PageTemplates
    mail_queue: MailQueue
    page_cache: PageCache
    archive_search: ArchiveSearch
    operator_password: str | None = None
    paper_fields: frozenset[str] = EVERY_FIELD
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    api_tokens: tuple[ApiTokenSettings, ...] = ()
    searches: RateLimit = field(default_factory=lambda: RateLimit(SEARCHES, MINUTE))
    one_search: Lock = field(default_factory=Lock)  # at a time: it reads megabytes
    plain_words: bool = True
    tries: RateLimit = field(default_factory=lambda: RateLimit(TRIES, MINUTE))
    all_tries: RateLimit = field(default_factory=lambda: RateLimit(ALL_TRIES, MINUTE))

    @property
    def now(self) -> datetime:
        """The present time."""
        return self.publisher.clock.now()

    @property
    def topic_names(self) -> list[str]:
        """The names of the newsletter's topics, in its order."""
        return [*self.publisher.topic_names]

    @property
    def known_topics(self) -> Mapping[str, str]:
        """For each name of a topic, present or former, the present one."""
        return self.publisher.known_topics

    def today(self, reader: Reader) -> date:
        """The date in a reader's time zone."""
        zone = reader.subscriber.timezone or self.default_schedule.timezone
        return self.now.astimezone(load_zone(zone)).date()

    def next_day(self, reader: Reader) -> date | None:
        """The day of a reader's next email, by the scheduler's own rule; None if none comes."""
        due = self.operator("").next_letter(reader, self.now)
        return None if due is None else due.day

    def is_weekly(self, reader: Reader) -> bool:
        """Whether a reader's emails come once a week."""
        return chosen_cadence(reader.subscriber, self.default_schedule) == "weekly"

    def choices(self, reader: Reader) -> str:
        """What a reader gets, and when, in a line."""
        return choice_words(reader.subscriber, self.default_schedule)

    def operator(self, who: str) -> OperatorService:
        """What the operator does about readers, recorded under this name."""
        return OperatorService(
            self.reader_service, self.publisher.store, self.default_schedule, who
        )

    def welcome(self, reader: Reader) -> None:
        """Send the day's edition to a new reader, or a note if there is none."""

        def job(send: Send) -> None:
            link = self.reader_service.preferences_url(reader, self.now)
            send(plan_first_letter(self.publisher, reader) or Note("welcome", reader, link))

        self.mail_queue.add(job)

    def as_shown(self, form: Form) -> Form:
        """The form with wishes in the field that the pages have for them.

        Where papers are matched by rules alone, they are rules among the others.
        """
        return with_wishes(form) if self.plain_words else with_rules(form)

    def count_try(self, client: str) -> bool:
        """Count that wishes are tried; whether this client or all together did it too often."""
        return bool(self.tries.count(client, self.now) or self.all_tries.count("", self.now))

    def refuse_if_busy(self, request: Request) -> Response | None:
        """Count a request for a note; the page that says when to try again if there were too many.

        It depends on the requests of this client and of all together, and on no address.
        """
        busy = self.reader_service.count_sign_up(client_of(request), self.now)
        if busy is None:
            return None
        zone = self.reader_service.publication.timezone
        # A minute later: the one that is shown must have begun.
        until = (busy.until + timedelta(minutes=1)).astimezone(load_zone(zone))
        page = self.templates.page(
            "busy", 429, by_others=busy.by_others, until=f"{until:%H:%M} ({zone})",
            contact=self.reader_service.contact,
        )  # fmt: skip
        page.headers["Retry-After"] = str(max(1, ceil((busy.until - self.now).total_seconds())))
        return page

    def redirect_to_sent(self, email: str, query: str = "") -> Response:
        """Send the browser to the page that says that a note to this address is on its way."""
        token = sign_token(email, "sent", self.reader_service.keys, self.now)
        return self.templates.redirect(f"/sent/{token}{query}")

    def ask_back(self, request: Request, left: Reader) -> Response:
        """Send a reader who unsubscribed the link that brings them back, or say why none comes."""
        if busy := self.refuse_if_busy(request):
            return busy
        note = self.reader_service.ask_back(left, self.now)
        if note is None:
            return self.redirect_to_sent(left.subscriber.email, "?before=yes")
        self.mail_queue.add(lambda send: send(note))
        return self.redirect_to_sent(left.subscriber.email)

    def redirect_to_form(self, path: str, form: Form, place: str = "") -> Response | None:
        """Send the browser to a page that shows this form again; None if it is too long for that.

        ``place`` is where on the page (``#preview``). Nothing but the form is in the address; its
        reader is in the page's signed link.
        """
        packed = form.packed()
        fits = len(packed) <= MAX_PACKED
        return self.templates.redirect(f"{path}?form={packed}{place}") if fits else None

    def verify_link(self, request: Request, purpose: Purpose) -> tuple[Reader, str]:
        """The reader whose link a page was requested by, and what else the link carries.

        Raises:
            TokenError: as for :meth:`ReaderService.verify_link`.
        """
        return self.reader_service.verify_link(token_of(request), purpose, self.now)


def post(path: str, handler: Callable[[Request, Form], Response]) -> Route:
    """The route of a form; the handler runs in a thread, as Starlette runs those for GET."""

    async def answer(request: Request) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(handler, request, form)

    return Route(path, answer, methods=["POST"])


def client_of(request: Request) -> str:
    """The client that the caps count: an IPv4 address, or an IPv6 network (/64).

    A provider gives each customer a whole /64, so single IPv6 addresses are no limit.
    """
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return str(address)


def password_of(request: Request) -> str:
    """The password in the Authorization field (RFC 7617); empty without one."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        login = b64decode(given, validate=True) if scheme.lower() == "basic" else b""
    except ValueError:  # neither base64 nor ASCII
        return ""
    return login.partition(b":")[2].decode("utf-8", "replace")


def token_of(request: Request) -> str:
    """The signed token in a page's path."""
    token: str = request.path_params["token"]
    return token
