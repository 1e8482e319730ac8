"""Opening the readers' door of a newsletter."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import count

from newsletter.app.app import House
from newsletter.config import WebSettings
from newsletter.errors import ConfigurationError
from newsletter.ports import Owner, Transport
from newsletter.publisher.newsletter import Desk
from newsletter.publisher.welcoming import FirstLetter, bring
from newsletter.web.context import Front
from newsletter.web.mail_queue import Deliver, Postroom
from newsletter.web.page_cache import Shelf
from newsletter.web.pages import Pages
from newsletter.web.server import serving
from newsletter.web.subscribing import door_app


def front_of(house: House, owner: Owner, told: Callable[[str], None]) -> Front:
    """The readers' pages of a newsletter; first letters are claimed under the owner's name.

    Raises:
        ConfigurationError: it does not say where the pages are for the world.
    """
    if house.settings.url is None:
        raise ConfigurationError(
            "must be set for the readers' pages: the links in letters lead there;"
            " write https://papers.example.org, or http://127.0.0.1:8000 to try it out",
            file=house.path.name,
            where="url",
        )
    reception, desk, smtp = house.reception, house.desk, house.smtp()
    deliver = delivering(desk, smtp, owner, told)
    return Front(
        desk=desk,
        reception=reception,
        rhythm=house.rhythm,
        pages=Pages(reception.publication, house.template_folder),
        postroom=Postroom(reception, house.notes, smtp, deliver, house.clock, told),
        shelf=Shelf(desk),
        operator_password=_password(house),
    )


def delivering(
    desk: Desk, transport: Transport, owner: Owner, told: Callable[[str], None]
) -> Deliver:
    """What first letters leave by: the ledger, as every letter does."""
    turns = count(1)

    async def deliver(letter: FirstLetter) -> None:
        turn = f"first{next(turns)}"
        await bring(desk, letter, transport, owner=owner, turn=turn, told=told)

    return deliver


def _password(house: House) -> str | None:
    password = None if house.settings.web is None else house.settings.web.operator_password
    return None if password is None else password.get_secret_value()


@contextlib.contextmanager
def open_door(house: House, told: Callable[[str], None]) -> Iterator[None]:
    """Serve the readers' pages until the block ends.

    Raises:
        ConfigurationError: as for :func:`front_of`.
        UsageError: one cannot listen there.
    """
    web = house.settings.web or WebSettings()
    with house.owner() as owner:
        app = door_app(front_of(house, owner, told))
        with serving(app, web.host, web.port, web.trusted_proxies) as port:
            told(f"the readers' pages: {house.settings.url} (listening on {web.host}, port {port})")
            yield
