"""Bounces and complaints that mail services post, over real HTTP into a real store."""

import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from newsletter.bounces.parsing import ParsedMail
from newsletter.letter.links import bounce_tag, letter_tag
from newsletter.model import Reader, Status
from newsletter.stores.sql import SqlStore
from newsletter.web.webhooks import MAX_BYTES, EventRecorder
from tests.support.factories import NOON, subscriber
from tests.support.frozen_issues import deliver
from tests.support.mail_services import (
    SECRET,
    SERVICES,
    Kind,
    MailService,
    Request,
    What,
    all_webhooks,
    mailgun_request,
)
from tests.support.web_client import Response, Website, open_website

BLOCKED = "550 5.7.1 Service unavailable; client host [192.0.2.7] blocked using Spamhaus"
DELAYED = "451 4.7.1 Greylisting in action, please come back later"
by_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


@dataclass
class Readers:
    """A newsletter, and three readers of its own for each test."""

    app: Website
    people: tuple[Reader, ...]

    @property
    def emails(self) -> list[str]:
        return [reader.subscriber.email for reader in self.people]

    @property
    def now(self) -> datetime:
        return self.app.clock.now()

    @property
    def statuses(self) -> list[Status]:
        return [r.status for r in self.app.store.readers_by_id([each.id for each in self.people])]

    def what(self, kind: Kind = "bounce", reader: int = 0, **fields: object) -> What:
        values = {"email": self.emails[reader], "at": self.now} | fields
        return What(kind, **values)  # type: ignore[arg-type]

    def post(self, service: MailService, *what: What) -> Request:
        return service.post(*what, at=self.now)

    def send(self, request: Request, path: str = "") -> Response:
        given = {name.replace("-", "_"): value for name, value in request.headers.items()}
        return self.app.request("POST", path or request.path, request.body, **given)

    def bounce_on_days(self, service: MailService, *ids: int, **fields: object) -> None:
        for number in ids:
            what = self.what(id=str(number), **fields)  # type: ignore[arg-type]
            assert self.send(self.post(service, what)).status == 200
            self.app.advance(days=1)


@pytest.fixture(scope="module")
def site() -> Iterator[Website]:
    with open_website(webhooks=all_webhooks()) as opened:
        yield opened


@pytest.fixture
def readers(site: Website) -> Readers:
    """Three readers who were sent a letter on a day of their own."""
    site.advance(days=1)
    known = len(site.store.readers())
    emails = [f"r{known + n}@example.org" for n in (1, 2, 3)]
    people = [site.store.save_reader(subscriber(e), status="confirmed", now=NOON) for e in emails]
    deliver(site.store, people, day=site.clock.now().date())
    return Readers(site, tuple(people))


def named(name: str) -> MailService:
    return next(service for service in SERVICES if service.name == name)


@by_service
def test_unknown_mailbox_on_three_days_blocks(readers: Readers, service: MailService) -> None:
    readers.bounce_on_days(service, 1, 2)
    assert readers.statuses == ["confirmed"] * 3
    readers.bounce_on_days(service, 3)
    assert readers.statuses == ["blocked", "confirmed", "confirmed"]
    why = {each.email: each.why for each in readers.app.publisher.store.suppressions()}
    assert "User unknown" in why[readers.emails[0]]


@by_service
def test_same_event_counts_once(readers: Readers, service: MailService) -> None:
    what = readers.what(id="1")
    for _ in range(4):
        assert readers.send(readers.post(service, what)).status == 200
        readers.app.advance(hours=7)
    readers.bounce_on_days(service, 2)
    assert readers.statuses == ["confirmed"] * 3
    readers.bounce_on_days(service, 3)
    assert readers.statuses[0] == "blocked"


@by_service
def test_blocked_sender_blames_no_reader(readers: Readers, service: MailService) -> None:
    """Even if the service calls it permanent."""
    readers.bounce_on_days(service, *range(4), said=BLOCKED)
    assert readers.statuses == ["confirmed"] * 3


@by_service
def test_class_decides_where_server_said_nothing(readers: Readers, service: MailService) -> None:
    readers.bounce_on_days(service, 1, 2, 3, said="")
    blames = service.name != "postal"  # which gives no class
    assert readers.statuses[0] == ("blocked" if blames else "confirmed")


@by_service
def test_delays_block_nobody(readers: Readers, service: MailService) -> None:
    readers.bounce_on_days(service, 1, 2, 3, kind="delayed", permanent=False, said=DELAYED)
    assert readers.statuses == ["confirmed"] * 3


@by_service
def test_complaints_and_unsubscribes_count_at_once(readers: Readers, service: MailService) -> None:
    ends: dict[Kind, Status] = {"complaint": "blocked", "unsubscribe": "unsubscribed"}
    for place, kind in enumerate(ends):
        email = readers.emails[place].title()
        request = readers.post(service, readers.what(kind, email=email))
        assert readers.send(request).status == 200
    expected = [ends[kind] if kind in service.kinds else "confirmed" for kind in ends]
    assert readers.statuses == [*expected, "confirmed"]


@by_service
def test_events_of_other_kinds_are_ignored(readers: Readers, service: MailService) -> None:
    for event in (
        service.form(readers.what("opened")),
        {"event": "made up next year", "Type": 7, "email": readers.emails[0]},
        {},
    ):
        assert readers.send(service.send([event], readers.now)).status == 200
    assert readers.statuses == ["confirmed"] * 3


def forgeries(readers: Readers, service: MailService) -> Iterator[tuple[Request, str]]:
    """What somebody could send without the service's secret."""
    kind: Kind = "complaint" if "complaint" in service.kinds else "bounce"
    request = readers.post(service, readers.what(kind))
    bare = replace(request, headers={"Content-Type": "application/json"})
    if "Authorization" in request.headers:
        wrong = b64encode(b"u:wrong").decode()
        yield bare, ""
        yield bare, f"{request.path}/wrong"
        yield replace(bare, headers={"Authorization": f"Basic {wrong}"}), ""
        yield replace(bare, headers={"Authorization": "Basic \xe9"}), ""
        return
    other, own = (email.encode() for email in readers.emails[:2])
    if service.name != "mailgun":
        yield replace(request, body=request.body.replace(other, own)), ""
    if bare.headers.keys() != request.headers.keys() and service.name != "ses":
        yield bare, ""
        yield replace(request, headers=dict.fromkeys(request.headers, "AAAA")), ""
    yield replace(bare, body=b'{"event": "complained", "signature": {"token": "x"}}'), ""


@by_service
def test_forged_requests_are_refused(readers: Readers, service: MailService) -> None:
    answers = [readers.send(*forgery).status for forgery in forgeries(readers, service)]
    assert set(answers) <= {401, 403}
    assert answers
    assert readers.statuses == ["confirmed"] * 3


@by_service
def test_old_signatures_are_refused(readers: Readers, service: MailService) -> None:
    """A service without signatures has a password, and its events are counted once anyway."""
    ages = timedelta(hours=26), timedelta(days=900), timedelta(hours=-1)
    requests = [service.post(readers.what(), at=readers.now - age) for age in ages]
    expected = {200} if "Authorization" in requests[0].headers else {403}
    assert {readers.send(request).status for request in requests} == expected
    late = service.post(readers.what(), at=readers.now - timedelta(hours=8))
    assert readers.send(late).status == 200


def test_mailgun_token_counts_for_one_event(readers: Readers) -> None:
    """Its signature does not cover the event."""
    form, now = named("mailgun").form, readers.now
    first, second = (form(readers.what("complaint", n)) for n in (0, 1))
    assert readers.send(mailgun_request(first, now, token="once")).status == 200
    assert readers.send(mailgun_request(first, now, token="once")).status == 200
    assert readers.send(mailgun_request(second, now, token="once")).status == 403
    assert readers.send(mailgun_request(second, now, key="another key of letters")).status == 403
    assert readers.statuses == ["blocked", "confirmed", "confirmed"]


@pytest.mark.parametrize("name", ["postmark", "brevo", "mailjet"])
def test_password_may_stand_in_the_address(readers: Readers, name: str) -> None:
    request = replace(readers.post(named(name), readers.what("complaint")), headers={})
    refused = readers.send(request)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Basic ")
    assert readers.send(request, f"{request.path}/{SECRET.replace(' ', '%20')}").status == 200
    assert readers.statuses[0] == "blocked"


@by_service
def test_garbled_requests_change_nothing(readers: Readers, service: MailService) -> None:
    request = readers.post(service, readers.what())
    bodies = (b"", b"[", b"\xff\xfe", b"[" * 100_000, b"7", b'"x"', b"null", b'{"a": 1e999}')
    for body in (*bodies, b"9" * 5_000, request.body[: len(request.body) // 2]):
        assert readers.send(replace(request, body=body)).status in {200, 400, 401, 403}
    other = {**request.headers, "Content-Type": "multipart/form-data"}
    assert readers.send(replace(request, headers=other)).status == 200
    assert readers.send(replace(request, body=b" " * (MAX_BYTES + 1))).status == 413
    assert readers.statuses == ["confirmed"] * 3


def test_service_without_settings_has_no_address() -> None:
    with open_website() as app:
        for service in SERVICES:
            assert app.post(service.post(What()).path).status == 404
        assert app.get("/bounces/postmark").status == 405


@pytest.mark.parametrize("name", ["ses", "mailgun", "postal"])
def test_return_path_identifies_the_reader(readers: Readers, name: str) -> None:
    keys, second = readers.app.reader_service.keys, readers.people[1].id
    sender = f"n+{bounce_tag(second, keys)}@example.org"
    readers.bounce_on_days(named(name), 1, 2, 3, sender=sender, email=readers.emails[1])
    assert readers.statuses == ["confirmed", "blocked", "confirmed"]


@pytest.mark.parametrize("name", ["ses", "mailgun", "sendgrid"])
def test_message_id_identifies_the_reader(readers: Readers, name: str) -> None:
    app, third, day = readers.app, readers.people[2], readers.now.date()
    letter = f"{day}.{letter_tag(day, third.id, app.reader_service.keys)}@example.org"
    what = readers.what("complaint", email="alias@example.net", letter=letter)
    assert readers.send(readers.post(named(name), what)).status == 200
    assert readers.statuses == ["confirmed", "confirmed", "blocked"]


@by_service
def test_addresses_without_a_letter_are_left(readers: Readers, service: MailService) -> None:
    """The service's account may send for others, too."""
    new = subscriber(f"new{len(readers.app.store.readers())}@example.org")
    readers.app.store.save_reader(new, status="confirmed", now=NOON)
    kind: Kind = "complaint" if "complaint" in service.kinds else "bounce"
    for email in (new.email, "stranger@example.net"):
        request = readers.post(service, readers.what(kind, email=email))
        assert readers.send(request).status == 200
    assert readers.app.store.readers()[-1].status == "confirmed"
    assert readers.statuses == ["confirmed"] * 3


def test_batch_records_every_event(readers: Readers) -> None:
    events = [readers.what("opened"), readers.what("complaint"), readers.what("unsubscribe", 1)]
    request = readers.post(named("sendgrid"), *events, readers.what(email="", id="9"))
    assert readers.send(request).status == 200
    assert readers.statuses == ["blocked", "unsubscribed", "confirmed"]


def test_busy_store_is_asked_again(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    request = readers.post(named("mailjet"), readers.what("complaint"))
    file = cast("SqlStore", readers.app.store)._database.url.database
    assert file is not None
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with monkeypatch.context() as hurried:
            hurried.setattr("newsletter.web.webhooks.ANSWER_WITHIN", 0.1)
            assert readers.send(request).status == 503
        assert readers.statuses == ["confirmed"] * 3
        other.execute("ROLLBACK")
    assert readers.send(request).status == 200
    assert readers.statuses == ["blocked", "confirmed", "confirmed"]


def test_unrecordable_event_does_not_keep_others(readers: Readers) -> None:
    first, second = (
        ParsedMail(str(place), "complaint", "abuse", recipients=(email,))
        for place, email in enumerate(readers.emails[:2])
    )
    broken = replace(first, sent=NOON.replace(tzinfo=None))  # it cannot be compared with now
    recorder = EventRecorder(readers.app.publisher)
    errors = recorder._record_all([[("mailjet", broken)], [("mailjet", second)]])
    assert [error is None for error in errors] == [False, True]
    assert readers.statuses == ["confirmed", "blocked", "confirmed"]
