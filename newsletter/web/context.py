"""What the readers' pages share: the newsletter they are of, and how a request reaches them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.model import Reader
from newsletter.publisher.publisher import Publisher
from newsletter.readers.due import DefaultSchedule
from newsletter.readers.service import ReaderService
from newsletter.web.browser import Form, form_of
from newsletter.web.mail_queue import MailQueue
from newsletter.web.page_cache import PageCache
from newsletter.web.pages import Pages

Handler = Callable[[Request, Form], Response]
"""Answers a request, in a thread of its own; a GET comes with an empty form."""


@dataclass(frozen=True, slots=True)
class PageContext:
    """The newsletter as its pages know it.

    Attributes:
        publisher: the newsletter.
        reader_service: where its readers are received.
        default_schedule: when those get their letter who chose nothing else.
        pages: the templates.
        mail_queue: where notes leave.
        page_cache: the issues everybody may see.
        operator_password: what opens the operator's page; None where there is none.
    """

    publisher: Publisher
    reader_service: ReaderService
    default_schedule: DefaultSchedule
    pages: Pages
    mail_queue: MailQueue
    page_cache: PageCache
    operator_password: str | None = None

    @property
    def now(self) -> datetime:
        """The present instant."""
        return self.publisher.clock.now()

    def today(self, reader: Reader) -> date:
        """The date where a reader is."""
        zone = reader.subscriber.timezone or self.default_schedule.timezone
        return self.now.astimezone(ZoneInfo(zone)).date()


def shows(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """What answers a GET."""

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(handler, request, Form({}))

    return answer


def both(
    path: str, shown: Handler, changed: Handler, *, reads_form: bool = True
) -> list[BaseRoute]:
    """The routes of a page that a GET shows and a POST changes something by."""

    async def post(request: Request) -> Response:
        form = await form_of(request) if reads_form else Form({})
        return await run_in_threadpool(changed, request, form)

    return [Route(path, shows(shown)), Route(path, post, methods=["POST"])]


def client_of(request: Request) -> str:
    """Who asks, as far as caps go: an address, of IPv6 the network somebody is given (/64)."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    wide = isinstance(address, IPv6Address)
    return str(ip_network((address, 64), strict=False)) if wide else str(address)


def token_of(request: Request) -> str:
    """The signed link a page was asked for by."""
    token: str = request.path_params["token"]
    return token
