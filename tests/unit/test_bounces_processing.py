"""Which reader a returned mail is about, and its effect on the reader."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from newsletter.bounces import processing
from newsletter.bounces.mailboxes import Mail, Mailbox, Maildir
from newsletter.bounces.parsing import Meaning, ParsedMail, parse
from newsletter.bounces.processing import BounceProcessor, BounceResult, Effect
from newsletter.bounces.reading import read_mailbox
from newsletter.errors import UsageError
from newsletter.letter.links import Keyring, sign_token
from newsletter.model import Status
from newsletter.ports import Store
from tests.support.bounce_mails import (
    KEYS,
    PUBLICATION,
    complaint_mail,
    exchange_bounce,
    letter_id,
    postfix_bounce,
    return_path,
    unsubscribe_mail,
)
from tests.support.databases import temporary_store
from tests.support.factories import NOON, subscriber
from tests.support.frozen_issues import deliver, freeze, list_papers


@pytest.fixture
def store() -> Store:
    opened = temporary_store()
    opened.sync_subscribers([subscriber(f"r{n}@example.net") for n in (1, 2, 3)], now=NOON)
    return opened


def bounce_processor(store: Store) -> BounceProcessor:
    return BounceProcessor(store, PUBLICATION, KEYS)


def process(store: Store, *mails: bytes, days: int = 0) -> list[tuple[str, str, str]]:
    found = (
        bounce_processor(store).process("a mail", mail, NOON + timedelta(days=days))
        for mail in mails
    )
    return [(result.meaning, result.effect, result.reader) for result in found]


def read(store: Store, mailbox: Mailbox, *, again: bool = False) -> list[BounceResult]:
    return list(read_mailbox(mailbox, bounce_processor(store), store, NOON, again=again))


def statuses(store: Store) -> list[Status]:
    return [reader.status for reader in store.readers()]


def bounced_on(days: int, reader: int = 2, **words: str) -> bytes:
    sent = NOON + timedelta(days=days)
    return postfix_bounce(
        return_path(reader), sent=sent, name=f"{reader}.{days}@mx.example.org", **words
    )


def test_three_bounces_on_three_days_block_one_reader(store: Store) -> None:
    mails = [bounced_on(days) for days in (0, 1, 2)]
    assert process(store, *mails, days=5) == [
        ("hard", "noted", "r2@example.net"),
        ("hard", "noted", "r2@example.net"),
        ("hard", "suppressed", "r2@example.net"),
    ]
    assert statuses(store) == ["confirmed", "blocked", "confirmed"]
    assert process(store, *mails, days=5) == [("hard", "again", "r2@example.net")] * 3


def test_future_date_counts_as_today(store: Store) -> None:
    assert process(store, *(bounced_on(days) for days in (10, 20, 30)))[-1][1] == "noted"
    assert statuses(store) == ["confirmed"] * 3


def test_soft_bounces_block_nobody(store: Store) -> None:
    words = {"status": "5.7.1", "said": "550 5.7.1 your server is on a list"}
    mails = [bounced_on(days, reader, **words) for days in range(6) for reader in (1, 2, 3)]
    assert {effect for _, effect, _ in process(store, *mails, days=9)} == {"noted"}
    assert statuses(store) == ["confirmed"] * 3


def test_complaint_blocks_at_once(store: Store) -> None:
    assert process(store, complaint_mail(back=f"<{return_path(3)}>")) == [
        ("complaint", "suppressed", "r3@example.net")
    ]
    assert statuses(store) == ["confirmed", "confirmed", "blocked"]


def test_message_id_identifies_reader_without_return_path(store: Store) -> None:
    freeze(store, store.readers(), list_papers(store, "arxiv:2608.00001"))
    assert process(
        store,
        complaint_mail(letter=letter_id(2)),
        exchange_bounce("papers@example.org", letter=letter_id(3)),
        exchange_bounce("papers@example.org", letter="<2026-13-99.0123456789abcdef@example.org>"),
        exchange_bounce("papers@example.org", letter="<2026-08-03.0123456789abcdef@example.org>"),
    ) == [
        ("complaint", "suppressed", "r2@example.net"),
        ("hard", "noted", "r3@example.net"),
        ("hard", "left", ""),
        ("hard", "left", ""),
    ]


def test_rotated_key_still_identifies_the_reader(store: Store) -> None:
    rotated = BounceProcessor(
        store, PUBLICATION, Keyring(("a newer key", *KEYS.secrets), KEYS.audience)
    )
    assert (
        rotated.process("a mail", postfix_bounce(return_path(1)), NOON).reader == "r1@example.net"
    )


@pytest.mark.parametrize(
    "mail",
    [
        postfix_bounce("bounce@example.org"),
        postfix_bounce("bounce+1-0123456789abcdef@example.org"),
        postfix_bounce(return_path(1).replace("@example.org", "@example.com")),
        postfix_bounce(return_path(99)),
        complaint_mail(),
        unsubscribe_mail("unsubscribe MQ.tj1abc.forged"),
        unsubscribe_mail("unsubscribe"),
        b"hello",
    ],
)
def test_unauthenticated_bounce_is_ignored(store: Store, mail: bytes) -> None:
    result = bounce_processor(store).process("a mail", mail, NOON)
    assert result.effect == "left"
    assert result.said
    assert statuses(store) == ["confirmed"] * 3


def test_only_trusted_events_name_a_reader_by_address(store: Store) -> None:
    event = ParsedMail("1", "hard", "5.1.1 gone", recipients=("r2@example.net",))
    assert bounce_processor(store).record("it", event, NOON, trusted=True).effect == "left"
    deliver(store, store.readers())  # before, it was about somebody else's mail
    assert bounce_processor(store).record("it", event, NOON).effect == "left"
    assert bounce_processor(store).record("it", event, NOON, trusted=True).effect == "noted"


def test_reader_unsubscribes_by_mail_from_any_address(store: Store) -> None:
    token = sign_token("2", "unsubscribe", KEYS, NOON - timedelta(days=900))
    assert process(store, unsubscribe_mail(f"unsubscribe {token}")) == [
        ("unsubscribe", "unsubscribed", "r2@example.net")
    ]
    assert process(store, unsubscribe_mail("Unsubscribe", to=return_path(3))) == [
        ("unsubscribe", "unsubscribed", "r3@example.net")
    ]
    assert statuses(store) == ["confirmed", "unsubscribed", "unsubscribed"]


def test_token_of_another_purpose_does_not_unsubscribe(store: Store) -> None:
    token = sign_token("2", "preferences", KEYS, NOON)
    assert process(store, unsubscribe_mail(f"unsubscribe {token}"))[0][1] == "left"
    wish = bounce_processor(store).process("a mail", unsubscribe_mail(f"pause {token}"), NOON)
    assert (wish.effect, wish.reader) == ("changed", "r2@example.net")
    assert "asks for a pause" in wish.said


def test_without_bounce_mailbox_senders_mailbox_is_read(store: Store) -> None:
    by_sender = BounceProcessor(store, replace(PUBLICATION, bounces=None), KEYS)
    token = sign_token("1", "unsubscribe", KEYS, NOON)
    assert (
        by_sender.process("a mail", unsubscribe_mail(f"unsubscribe {token}"), NOON).effect
        == "unsubscribed"
    )


def test_one_bounce_in_a_hundred_affects_one_reader() -> None:
    store = temporary_store()
    store.sync_subscribers([subscriber(f"r{n}@example.net") for n in range(300)], now=NOON)
    for days in range(4):
        process(store, *(bounced_on(days, reader) for reader in range(100, 301, 100)), days=days)
    blocked = [r.id for r in store.readers() if r.status == "blocked"]
    assert blocked == [100, 200, 300]


def test_odd_maildir_entries_are_skipped_or_named(tmp_path: Path, store: Store) -> None:
    for name in ("new/folder", "cur", "tmp"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "new" / ".hidden").write_bytes(postfix_bounce(return_path(1)))
    (tmp_path / "new" / "empty").touch()
    (result,) = bounce_processor(store).process_all(Maildir(tmp_path).mails(), NOON)
    assert (result.name, result.effect) == ("empty", "left")
    assert result.said == "it is empty, or the newsletter may not read it"


def test_unmovable_mail_is_named_and_counted_once(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "one").write_bytes(bounced_on(0))
    (tmp_path / "cur" / "one:2,S" / "in the way").mkdir(parents=True)
    assert [result.effect for result in read(store, Maildir(tmp_path))] == ["noted"]
    assert "was counted and cannot be marked as seen" in caplog.text
    assert read(store, Maildir(tmp_path)) == []


def test_unexpected_mail_holds_up_none_behind_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(content: bytes) -> ParsedMail:
        if b"poison" in content:
            raise ZeroDivisionError("a mail that nobody thought of")
        return parse(content)

    monkeypatch.setattr(processing, "parse", failing)
    mails = [Mail("1", b"poison"), Mail("2", bounced_on(0))]
    results = list(bounce_processor(store).process_all(mails, NOON))
    assert [result.effect for result in results] == ["left", "noted"]
    assert results[0].said == "unexpected ZeroDivisionError: a mail that nobody thought of"


def test_maildir_without_permission_is_read_later(tmp_path: Path, store: Store) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "one").write_bytes(bounced_on(0))
    maildir, processor = Maildir(tmp_path), bounce_processor(store)
    known = {"one (not readable)": "it may not be read"}
    assert [mail.name for mail in maildir.mails(known)] == ["one"]
    assert maildir.look(known) == {"one (not readable)": False}
    (result,) = processor.process_all(maildir.mails(known), NOON)
    assert (result.effect, maildir.look([*known, "one"])) == ("noted", {"one": True})


def test_folder_that_is_no_maildir_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="new, cur and tmp"):
        list(Maildir(tmp_path).mails())


def test_every_effect_and_meaning_has_words() -> None:
    """Add one to the literals, and this names the table that lacks it."""
    effects = {word for kind in get_args(Effect) for word in get_args(kind)}
    meanings = {word for kind in get_args(Meaning) for word in get_args(kind)}
    assert set(processing.EFFECTS) == effects - {"unknown"}
    assert set(processing._MEANINGS) == meanings
