"""Opening the readers' door of a newsletter."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import count

from newsletter.app.app import App
from newsletter.config import WebSettings
from newsletter.errors import ConfigurationError
from newsletter.ports import RunLock, Transport
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.welcoming import FirstLetter, bring
from newsletter.web.context import PageContext
from newsletter.web.mail_queue import Deliver, MailQueue
from newsletter.web.page_cache import PageCache
from newsletter.web.pages import Pages
from newsletter.web.server import serving
from newsletter.web.subscribing import pages_app


def page_context_of(app: App, run_lock: RunLock, told: Callable[[str], None]) -> PageContext:
    """The readers' pages of a newsletter; first letters are claimed under the owner's name.

    Raises:
        ConfigurationError: it does not say where the pages are for the world.
    """
    if app.settings.url is None:
        raise ConfigurationError(
            "must be set for the readers' pages: the links in letters lead there;"
            " write https://papers.example.org, or http://127.0.0.1:8000 to try it out",
            file=app.path.name,
            where="url",
        )
    reader_service, publisher, smtp = app.reader_service, app.publisher, app.smtp()
    deliver = delivering(publisher, smtp, run_lock, told)
    return PageContext(
        publisher=publisher,
        reader_service=reader_service,
        default_schedule=app.default_schedule,
        pages=Pages(reader_service.publication, app.template_folder),
        mail_queue=MailQueue(reader_service, app.notes, smtp, deliver, app.clock, told),
        page_cache=PageCache(publisher),
        operator_password=_password(app),
    )


def delivering(
    publisher: Publisher, transport: Transport, run_lock: RunLock, told: Callable[[str], None]
) -> Deliver:
    """What first letters leave by: the ledger, as every letter does."""
    turns = count(1)

    async def deliver(letter: FirstLetter) -> None:
        turn = f"first{next(turns)}"
        await bring(publisher, letter, transport, run_lock=run_lock, turn=turn, told=told)

    return deliver


def _password(app: App) -> str | None:
    password = None if app.settings.web is None else app.settings.web.operator_password
    return None if password is None else password.get_secret_value()


@contextlib.contextmanager
def open_pages(app: App, told: Callable[[str], None]) -> Iterator[None]:
    """Serve the readers' pages until the block ends.

    Raises:
        ConfigurationError: as for :func:`page_context_of`.
        UsageError: one cannot listen there.
    """
    web = app.settings.web or WebSettings()
    with app.run_lock() as run_lock:
        pages = pages_app(page_context_of(app, run_lock, told))
        with serving(pages, web.host, web.port, web.trusted_proxies) as port:
            told(f"the readers' pages: {app.settings.url} (listening on {web.host}, port {port})")
            yield
