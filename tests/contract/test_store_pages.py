"""What the readers' pages need of the store: consent, limits, export, erasure, the archive."""

from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from newsletter.model import (
    RECEIPT,
    Accepted,
    Consent,
    DailyGrowth,
    Filter,
    IdentifiedItem,
    IndexBlock,
    MailEvent,
    PublishedIssue,
    Reader,
    Refused,
    RequestLimits,
    Status,
)
from newsletter.papers.filters import parse_rule
from newsletter.ports import Store
from newsletter.stores import open_store
from tests.support.factories import DAY, NOON, identity, item, subscriber
from tests.support.frozen_issues import (
    HEALTH,
    claim,
    freeze,
    freeze_one_issue,
    join,
    list_papers,
    make_wave,
    mark,
    plan_edition,
    settle,
)

LIMITS = RequestLimits(
    per_address_daily=1, per_address_total=3, per_client_hourly=4, total_hourly=6
)
CONSENT = Consent(NOON, "confirmed on the page", "Yes, send me N.")
ADA = "ada@example.org"


def known(store: Store, number: int = 1) -> Reader:
    found = store.reader_by_id(number)
    assert found is not None
    return found


def test_reader_is_found_by_id(store: Store) -> None:
    (ada,) = join(store, "ada")
    assert store.reader_by_id(ada.id) == ada
    assert store.reader_by_id(77) is None


def test_mailbox_is_found_in_any_letter_case(store: Store) -> None:
    (ada,) = join(store, "ada")
    assert store.reader_by_email("ADA@Example.org") == ada
    assert store.reader_by_email("ada@example.org' OR '1'='1") is None
    assert store.reader_by_email("%") is None


def test_readers_are_counted_by_status(store: Store) -> None:
    assert store.count_readers() == {}
    join(store, "ada", "bob", "cyd")
    store.set_status(ADA, "unsubscribed", now=NOON)
    assert store.count_readers() == {"confirmed": 2, "unsubscribed": 1}


def test_joins_and_leaves_are_counted_by_day(store: Store) -> None:
    assert store.daily_growth() == ()
    at = [NOON + timedelta(days=n) for n in range(8)]
    for number in range(1, 6):
        store.save_reader(subscriber(f"r{number}@x.org"), status="unconfirmed", now=at[0])
    assert store.daily_growth() == ()
    for number in (1, 2, 3):
        store.record_consent(number, Consent(at[1], "by a link", "Yes."))
    store.sync_subscribers([subscriber("file@x.org"), subscriber("struck@x.org")], now=at[1])
    store.save_reader(subscriber("r1@x.org", at="09:00"), status="confirmed", now=at[2])
    late = at[2].replace(hour=23, minute=59).astimezone(timezone(timedelta(hours=9)))
    store.set_status("r2@x.org", "unsubscribed", now=late)
    store.sync_subscribers([subscriber("file@x.org")], now=at[3])
    store.sync_subscribers([subscriber("file@x.org")], now=at[4])
    store.record_mail_event(MailEvent("c", "complaint", 3, DAY), now=at[5])
    store.erase(2, "x@erased.invalid", now=at[6])
    day = [instant.date() for instant in at]
    assert store.daily_growth() == (
        DailyGrowth(day[0], 1, 0),
        DailyGrowth(day[1], 4, 0),
        DailyGrowth(day[3], 0, 1),
        DailyGrowth(day[5], 0, 1),
        DailyGrowth(day[6], 0, 1),
    )
    assert store.unsuppress("r3@x.org", now=at[7])
    assert store.record_consent(2, Consent(at[7], "by a link", "Yes."))
    assert [(each.came, each.left) for each in store.daily_growth()] == [(4, 0), (0, 1), (1, 0)]


# -- settings of the file and of the reader --------------------------------------------------------


def test_readers_choice_wins_until_the_file_changes(store: Store) -> None:
    store.sync_subscribers([subscriber(at="07:00", name="Ada")], now=NOON)
    chosen = subscriber(at="09:00", name="Ada", filter=Filter(topics=("Vision",), max_items=5))
    store.save_reader(chosen, status="confirmed", now=NOON)
    store.sync_subscribers([subscriber(at="07:00", name="Ada")], now=NOON)
    assert known(store).subscriber == chosen
    file = subscriber(at="07:00", name="A. Lovelace", filter=Filter(max_items=9))
    store.sync_subscribers([file], now=NOON)
    assert known(store).subscriber == subscriber(
        at="09:00", name="A. Lovelace", filter=Filter(topics=("Vision",), max_items=9)
    )
    store.sync_subscribers([subscriber(at="06:00", name="A. Lovelace")], now=NOON)
    assert known(store).subscriber.at == "06:00"


# -- consent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["unconfirmed", "unsubscribed", "removed"])
def test_consent_confirms_and_is_stored(store: Store, before: Status) -> None:
    reader = store.save_reader(subscriber(), status=before, now=NOON)
    assert store.record_consent(reader.id, CONSENT)
    assert known(store).status == "confirmed"
    assert store.consents(reader.id) == (CONSENT,)


@pytest.mark.parametrize("before", ["confirmed", "blocked"])
def test_consent_leaves_confirmed_and_blocked_readers_alone(store: Store, before: Status) -> None:
    reader = store.save_reader(subscriber(), status=before, now=NOON)
    assert not store.record_consent(reader.id, CONSENT)
    assert known(store).status == before
    assert store.consents(reader.id) == ()
    assert not store.record_consent(77, CONSENT)


def test_returning_reader_is_not_owed_the_gap(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    store.set_status(ADA, "unsubscribed", now=NOON)
    freeze(store, [bob], list_papers(store, "arxiv:1", "arxiv:2"))
    store.record_consent(ada.id, CONSENT)
    assert known(store, ada.id).decided == 2


def test_reader_removed_from_file_may_join_online(store: Store) -> None:
    (ada,) = join(store, "ada")
    join(store)
    store.record_consent(ada.id, CONSENT)
    join(store)
    assert (known(store).status, known(store).origin) == ("confirmed", "store")


# -- limits ----------------------------------------------------------------------------------------


def test_confirmations_are_limited_to_one_daily_three_ever(store: Store) -> None:
    times = [NOON + timedelta(hours=hours) for hours in (0, 0, 1, 23, 25, 26, 50, 51, 1000)]
    admitted = [store.record_request("ada", f"client {t}", LIMITS, now=t) for t in times]
    assert admitted == [True, False, False, False, True, False, True, False, False]


def test_confirmations_are_limited_per_client_and_overall(store: Store) -> None:
    one = [store.record_request(f"a{n}", "one", LIMITS, now=NOON) for n in range(6)]
    assert one == [True] * 4 + [False] * 2
    others = [store.record_request(f"b{n}", f"client {n}", LIMITS, now=NOON) for n in range(4)]
    assert others == [True] * 2 + [False] * 2
    later = NOON + timedelta(hours=1, seconds=1)
    assert store.record_request("c", "one", LIMITS, now=later)


def test_forgotten_requests_free_the_address_not_the_client(store: Store) -> None:
    assert [store.record_request("ada", "one", LIMITS, now=NOON) for _ in range(2)] == [True, False]
    store.forget_requests(["ada", "nobody"])
    assert store.record_request("ada", "two", LIMITS, now=NOON)
    assert [store.record_request(f"a{n}", "one", LIMITS, now=NOON) for n in range(4)][3:] == [False]


def test_unconfirmed_readers_are_deleted(store: Store) -> None:
    for number, status in enumerate(("unconfirmed", "unconfirmed", "confirmed", "unsubscribed")):
        at = NOON + timedelta(days=number == 1)
        store.save_reader(subscriber(f"r{number}@example.org"), status=status, now=at)  # type: ignore[arg-type]
    assert store.forget_unconfirmed(before=NOON + timedelta(hours=1)) == 1
    assert [reader.id for reader in store.readers()] == [2, 3, 4]
    assert store.forget_unconfirmed(before=NOON + timedelta(hours=1)) == 0


# -- export and erasure ----------------------------------------------------------------------------


def test_readers_letters_are_listed_oldest_first(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    settle(store, *claim(store), outcome=Refused("550 no such user"))
    (letter,) = store.deliveries_to(1)
    assert (letter.day, letter.email, letter.state) == (DAY, ADA, "failed")
    assert letter.reply == "550 no such user"
    assert store.deliveries_to(77) == ()


def test_erased_reader_becomes_an_anonymous_departure(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    store.record_consent(1, CONSENT)
    settle(store, *claim(store), outcome=Refused("550 5.1.1 <ada@example.org> is unknown"))
    before = store.counts(DAY)
    store.erase(1, "x@erased.invalid", now=NOON)
    assert known(store).subscriber == subscriber("x@erased.invalid")
    assert (known(store).status, known(store).origin) == ("unsubscribed", "store")
    assert store.readers(emails=[ADA]) == ()
    assert store.consents(1) == ()
    assert store.counts(DAY) == before
    assert [d.email for d in store.deliveries(DAY)] == ["bob@example.org", "x@erased.invalid"]
    assert store.edition(DAY, ADA) is None
    assert store.edition(DAY, "x@erased.invalid") is None
    assert ADA not in repr((store.deliveries_to(1), store.readers()))
    assert [letter.reply for letter in store.deliveries_to(1)] == ["550 5.1.1"]
    store.erase(77, "y@erased.invalid", now=NOON)


@pytest.mark.slow
@pytest.mark.parametrize("reply", ["250 2.0.0 ok", f"{RECEIPT}written to {ADA}.eml"])
def test_audit_passes_after_erasure_or_address_change(store: Store, reply: str) -> None:
    reader = store.save_reader(subscriber("cyd@example.org"), status="confirmed", now=NOON)
    freeze_one_issue(store, "ada", "bob")
    freeze(store, [*store.readers(emails=["ada@example.org"]), reader], store.papers_by_number([1]))
    mark(store, *(claims := claim(store)))
    settle(store, *claims, outcome=Accepted(reply))
    assert store.change_email(reader.id, "new@example.org", now=NOON)
    (ada,) = store.readers(emails=[ADA])
    store.erase(ada.id, "x@erased.invalid", now=NOON)
    assert store.audit(DAY).ok, [p for p in store.audit(DAY).proofs if p.rows]
    assert ADA not in repr(store.audit(DAY))


def test_claimed_letter_is_not_sent_to_erased_reader(store: Store) -> None:
    freeze_one_issue(store, "ada")
    claims = claim(store)
    store.erase(1, "x@erased.invalid", now=NOON)
    assert mark(store, *claims) == frozenset()


def test_erased_address_may_join_and_be_erased_again(store: Store) -> None:
    join(store, "ada")
    store.erase(1, "x.1@erased.invalid", now=NOON)
    again = store.save_reader(subscriber(), status="unconfirmed", now=NOON)
    assert again.id == 2
    store.erase(2, "x.2@erased.invalid", now=NOON)
    assert {r.status for r in store.readers()} == {"unsubscribed"}


def test_only_the_named_settings_change(store: Store) -> None:
    wants = Filter(topics=("Gone",), min_upvotes=3)
    ada = store.save_reader(
        subscriber(ADA, filter=wants, at="06:00"), status="unsubscribed", now=NOON
    )
    wanted = subscriber(ADA, filter=Filter(max_items=5), summary="full")
    changed = store.change_settings(ada.id, wanted, ("min_upvotes", "summary"), now=NOON)
    expected = subscriber(ADA, filter=Filter(topics=("Gone",)), at="06:00", summary="full")
    assert (changed.subscriber, changed.status) == (expected, "unsubscribed")
    assert known(store) == changed
    stored = {"email": ADA, "topics": ["Gone"], "at": "06:00", "summary": "full"}
    assert store.stored_settings(ada.id) == stored


def test_reader_moves_to_a_free_address(store: Store) -> None:
    reader = store.save_reader(subscriber(ADA, at="09:00"), status="confirmed", now=NOON)
    freeze(store, [reader], list_papers(store, "arxiv:1"))
    join(store, "bob")
    assert not store.change_email(reader.id, "BOB@example.org", now=NOON)
    assert not store.change_email(2, "new@example.org", now=NOON)
    assert not store.change_email(77, "new@example.org", now=NOON)
    assert store.change_email(reader.id, "new@example.org", now=NOON)
    assert known(store).subscriber == subscriber("new@example.org", at="09:00")
    assert store.reader_by_email(ADA) is None
    assert [delivery.email for delivery in store.deliveries(DAY)] == ["new@example.org"]
    settle(store, *claim(store), outcome=Accepted("250 ok"))
    assert known(store).decided == 1


@pytest.mark.slow
def test_erased_address_leaves_no_byte_in_the_files(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    name = "erase-me-0815"
    freeze_one_issue(store, name, *(f"reader{n}" for n in range(300)))
    for at in ("07:00", "08:00"):
        wants = Filter(include=(parse_rule(name),)) if at == "08:00" else Filter()
        changed = subscriber(f"{name}@example.org", at=at, filter=wants)
        store.save_reader(changed, status="confirmed", now=NOON)
    (theirs,) = (each for each in claim(store, limit=500) if each.reader == 1)
    settle(store, theirs, outcome=Refused(f"550 <{name}@example.org>"))
    assert any(name.encode() in path.read_bytes() for path in tmp_path.iterdir())
    store.erase(1, "x@erased.invalid", now=NOON)
    assert not any(name.encode() in path.read_bytes() for path in tmp_path.iterdir())
    store.close()
    assert not any(name.encode() in path.read_bytes() for path in tmp_path.iterdir())


# -- the archive -----------------------------------------------------------------------------------


def test_paper_is_new_in_exactly_one_published_issue(store: Store) -> None:
    assert store.published_issues() == ()
    readers = join(store, "ada", "bob")
    later = DAY + timedelta(days=1)
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    freeze(store, readers[:1], papers)
    more = list_papers(store, "arxiv:3")
    evening = make_wave(more, due=NOON + timedelta(hours=9))
    store.freeze(evening, [plan_edition(readers[1], 0)])
    more = list_papers(store, "arxiv:4", "arxiv:5")
    store.freeze(
        make_wave(more, day=later, due=NOON + timedelta(days=1)), [plan_edition(readers[0], 0)]
    )
    store.skip_issue(later + timedelta(days=1), reason="no new papers", now=NOON)
    assert store.published_issues() == (
        PublishedIssue(later, 3, 5, NOON + timedelta(days=1)),
        PublishedIssue(DAY, 0, 3, NOON),
    )
    shown = [store.new_in(issue, first=1) for issue in store.published_issues()]
    assert [(count, [paper.key for paper in first]) for count, first in shown] == [
        (2, ["arxiv:4"]),
        (3, ["arxiv:1"]),
    ]


def test_paper_is_found_by_any_key(store: Store) -> None:
    entry = IdentifiedItem(item("A paper"), identity("arxiv:1", "doi:10.1/x"))
    store.ingest(DAY, HEALTH, [entry], now=NOON)
    found = store.find_paper("doi:10.1/x")
    assert found is not None
    assert (found.key, store.find_paper("arxiv:1")) == ("arxiv:1", found)
    assert store.find_paper("' OR 1=1 --") is None


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["mixture"], [2, 1]),
        (["MIXTURE", "expert"], [1]),
        (["mixture of expert"], [1]),
        (["xture"], []),
        (["etude"], [3]),
        (["adapt"], [3]),
        (["Étude"], [3]),
        (["shazeer"], [2]),
        (["mixtures"], [2, 1]),
        (["analyses", "mixture"], [2]),
        (["%"], []),
        (["_ixture"], []),
        (["' OR 1=1 --"], []),
        (["[a-z]*"], []),
        ([" ", ""], []),
        (["\0"], []),
    ],
)
def test_search_matches_word_prefixes(store: Store, words: list[str], found: list[int]) -> None:
    listed = [
        item("Mixture of Experts", abstract="Routing."),
        item("Speech", abstract="Analysis of a mixture.", authors=("Noam Shazeer",)),
        item("Étude", keywords=("LoRA adapters",)),
    ]
    entries = [IdentifiedItem(each, identity(f"arxiv:{n}")) for n, each in enumerate(listed)]
    store.ingest(DAY, HEALTH, entries, now=NOON)
    assert [paper.number for paper in store.search_papers(words, limit=10)] == found
    assert len(store.search_papers(words, limit=1)) == min(1, len(found))


def test_search_sees_revisions_and_skips_muted_papers(store: Store) -> None:
    entries = [
        IdentifiedItem(item("First", version=1), identity("arxiv:1")),
        IdentifiedItem(item("Long ago"), identity("arxiv:2"), past=True),
    ]
    fresh = HEALTH.__class__("New source", "ok", checked=NOON, last_ok=NOON)
    store.ingest(DAY, fresh, entries, now=NOON)
    revised = IdentifiedItem(item("Second", version=2), identity("arxiv:1"))
    store.ingest(DAY, fresh, [revised], now=NOON)
    assert [p.number for p in store.search_papers(["second"], limit=10)] == [1]
    assert store.search_papers(["long"], limit=10) == ()


def test_index_block_is_stale_when_its_papers_change(store: Store) -> None:
    def list_paper(title: str, version: int, upvotes: int, name: str = "arxiv:1") -> None:
        listed = item(title, version=version, upvotes=upvotes)
        store.ingest(DAY, HEALTH, [IdentifiedItem(listed, identity(name))], now=NOON)

    def make(body: bytes) -> IndexBlock:
        block = store.stale_block("a")
        assert block is not None
        store.save_block(replace(block, body=body), "a")
        return block

    assert store.stale_block("a") is None
    list_paper("First", 1, 1)
    assert make(b"1") == IndexBlock(0, 1)
    assert store.stale_block("a") is None
    list_paper("First", 1, 9)
    assert store.stale_block("a") is None
    list_paper("Second", 2, 9)
    assert make(b"2") == IndexBlock(0, 1, changes=1)
    list_paper("Another", 1, 1, "arxiv:2")
    assert make(b"3") == IndexBlock(0, 2, changes=1)
    assert [*store.index_blocks("a")] == [IndexBlock(0, 2, 1, b"3")]
    assert [*store.index_blocks("b")] == []
    assert store.stale_block("b") == IndexBlock(0, 2, changes=1)


def test_change_while_block_is_made_makes_it_again(store: Store) -> None:
    entry = IdentifiedItem(item("First", version=1), identity("arxiv:1"))
    store.ingest(DAY, HEALTH, [entry], now=NOON)
    block = store.stale_block("a")
    assert block is not None
    revised = IdentifiedItem(item("Second", version=2), identity("arxiv:1"))
    store.ingest(DAY, HEALTH, [revised], now=NOON)
    store.save_block(replace(block, body=b"old"), "a")
    assert store.stale_block("a") == IndexBlock(0, 1, changes=1)


def test_index_has_a_block_for_each_500_numbers(store: Store) -> None:
    list_papers(store, *(f"arxiv:{n}" for n in range(1, 502)))
    made = []
    while (block := store.stale_block("a")) is not None:
        store.save_block(block, "a")
        made.append((block.start, block.last))
    assert made == [(0, 499), (500, 501)]
    assert [(each.start, each.last) for each in store.index_blocks("a")] == made
