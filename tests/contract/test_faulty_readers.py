"""Whatever is stored of one reader, everybody else gets the letter, and that reader is named."""

import asyncio
import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from newsletter.config.reader_lists import write_csv
from newsletter.config.subscribers import write_yaml
from newsletter.model import SUBSCRIBER_FIELDS, Filter, ReaderFault, Subscriber
from newsletter.ports import Store
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import freeze, publish, waiting_readers
from newsletter.publisher.reporting import report
from newsletter.publisher.ticking import SchedulerState, _list_due
from newsletter.readers.due import DefaultSchedule
from newsletter.stores.sql import SqlStore
from newsletter.stores.sql.codec import dump
from tests.support.databases import open_temporary_store
from tests.support.factories import DAY, EVERY_FIELD, NOON, subscriber
from tests.support.frozen_issues import list_papers
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, publisher_over

ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WANTS = [field.name for field in fields(Filter)]
FIELD_NAMES = [*(name for name in SUBSCRIBER_FIELDS if name not in WANTS), "other"]
ONE_FIELD = st.builds(
    lambda name, value: {"email": BOB} | {name: value}, st.sampled_from(FIELD_NAMES), JSON
)
ONE_WISH = st.builds(
    lambda name, value: {"email": BOB, "filter": {name: value}}, st.sampled_from(WANTS), JSON
)
BODIES = (ONE_FIELD | ONE_WISH | JSON).map(json.dumps)
RAW = st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary() | BODIES
COLUMNS = ["email", "status", "decided", "origin", "body", "listed", "own", "joined", "changed"]


def subscribe(store: Store) -> None:
    """Ada and Cleo are in the file, Bob is in the store."""
    store.sync_subscribers([subscriber(ADA), subscriber(CLEO)], now=NOON)
    store.save_reader(subscriber(BOB), status="confirmed", now=NOON)
    list_papers(store, "arxiv:1", "arxiv:2")


def store_rubbish(store: SqlStore, column: str, value: object, *, as_text: bool = False) -> None:
    """Write into Bob's row what no version of the program would."""
    given = "CAST(:value AS TEXT)" if as_text else ":value"
    with store._database.writing() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        statement = text(f"UPDATE readers SET {column} = {given} WHERE email = '{BOB}'")  # noqa: S608 - a column's name
        connection.execute(statement, {"value": value})


def send(publisher: Publisher) -> tuple[list[str], list[ReaderFault]]:
    """Send the issue as `newsletter send` does; who got it, and who is named."""
    transport, faults = MemoryTransport(), list[ReaderFault]()
    readers = waiting_readers(publisher, DAY, on_fault=faults.append)
    freeze(publisher, DAY, readers, (), on_fault=faults.append)
    publisher.store.record_faults(DAY, faults)
    asyncio.run(publish(publisher, DAY, transport, run_lock=KnownRuns("run")))
    return sorted(letter.envelope.recipient for letter in transport.letters), faults


def look_everywhere(publisher: Publisher) -> None:
    """Use every view that goes over readers; none of them may raise."""
    store = publisher.store
    assert len(store.readers()) == len([*store.each_reader()]) == 3
    json.dumps([(b.email, str(b.since), b.why) for b in store.suppressions()])
    write_csv(store.listed_readers())
    write_yaml(store.listed_readers())
    store.count_readers()
    store.daily_growth()
    store.papers_to_reconsider(day=DAY)
    json.dumps([row.email for row in store.deliveries(DAY)])
    assert store.audit(DAY).ok
    store.sync_subscribers([subscriber(ADA, name="A."), subscriber(CLEO)], now=NOON)
    state = SchedulerState(DefaultSchedule("11:00", "UTC", "daily"))
    _list_due(publisher, state, NOON)


@pytest.mark.slow
@given(column=st.sampled_from(COLUMNS), value=RAW, as_text=st.booleans())
@settings(max_examples=25, deadline=None)
def test_rubbish_in_one_row_stops_at_most_that_reader(
    column: str,
    value: object,
    as_text: bool,  # noqa: FBT001 - an argument of hypothesis
) -> None:
    with open_temporary_store(SqlStore) as store:
        subscribe(store)
        store_rubbish(store, column, value, as_text=as_text)
        publisher = publisher_over(store)
        got, faults = send(publisher)
        assert {ADA, CLEO} <= {*got}
        if column not in {"status", "decided"}:  # those may be about a reader who gets nothing
            assert BOB in got or [fault.id for fault in faults] == [3]
        look_everywhere(publisher)


@pytest.mark.slow
@given(body=BODIES)
@settings(max_examples=25, deadline=None)
def test_settings_of_any_form_stop_at_most_that_reader(body: str) -> None:
    with open_temporary_store(SqlStore) as store:
        subscribe(store)
        store_rubbish(store, "body", body)
        got, faults = send(publisher_over(store))
        assert {ADA, CLEO} <= {*got}
        assert BOB in got or [fault.id for fault in faults] == [3] or _is_paused(store)
        look_everywhere(publisher_over(store))


def _is_paused(store: Store) -> bool:
    (bob,) = (reader for reader in store.readers() if reader.id == 3)
    chosen = bob.subscriber
    pauses = chosen.cadence is not None or chosen.paused_until is not None
    return pauses or chosen.filter != subscriber().filter


SKIPPED = {
    "no JSON": "{",
    "no object": "[]",
    "null": "null",
    "another's address": dump(subscriber("eve@example.org")),
    "an address with a line break": json.dumps({"email": f"{BOB}\r\nBcc: eve@example.org"}),
    "a broken rule": json.dumps({"email": BOB, "filter": {"include": ['"never closed']}}),
    "a rule of a newer version": json.dumps({"email": BOB, "filter": {"include": [["a"]]}}),
    "topics as one word": json.dumps({"email": BOB, "filter": {"topics": "Vision"}}),
    "a newer cadence": json.dumps({"email": BOB, "cadence": "fortnightly"}),
    "no weekday": json.dumps({"email": BOB, "cadence": "weekly", "day": 9}),
    "no date": json.dumps({"email": BOB, "paused_until": "next week"}),
    "a negative limit": json.dumps({"email": BOB, "filter": {"max_items": -1}}),
}
SERVED = {
    "a zone of a machine": {"timezone": "localtime"},
    "an empty zone": {"timezone": ""},
    "a zone as a list": {"timezone": ["UTC"]},
    "an hour past midnight": {"at": "24:30"},
    "a name with a line break": {"name": "Bob\r\nBcc: eve@example.org"},
    "a newer summary": {"summary": "haiku"},
    "a newer breadth": {"filter": {"breadth": "wide"}},
}


@pytest.mark.parametrize("body", SKIPPED.values(), ids=SKIPPED)
def test_reader_who_cannot_be_served_is_skipped(store: SqlStore, body: str) -> None:
    subscribe(store)
    store_rubbish(store, "body", body)
    publisher = publisher_over(store)
    got, (fault,) = send(publisher)
    assert got == [ADA, CLEO]
    assert (fault.email, fault.served) == (BOB, False)
    look_everywhere(publisher)
    assert report(publisher, DAY).skipped == (f"reader {BOB}: {fault.words}",)
    store.save_reader(subscriber(BOB), status="confirmed", now=NOON)
    assert report(publisher, DAY).skipped == ()
    assert send(publisher) == ([BOB], [])


@pytest.mark.parametrize("wrong", SERVED.values(), ids=SERVED)
def test_reader_is_served_without_what_cannot_be_used(
    store: SqlStore, wrong: dict[str, Any]
) -> None:
    (name,) = wrong.get("filter", wrong)
    subscribe(store)
    store_rubbish(store, "body", json.dumps({"email": BOB, **wrong}))
    publisher = publisher_over(store)
    got, (fault,) = send(publisher)
    assert got == [ADA, BOB, CLEO]
    assert (fault.email, fault.served, name in fault.words) == (BOB, True, True)
    assert report(publisher, DAY).notes == (f"reader {BOB}: {fault.words}",)
    assert report(publisher, DAY).skipped == ()


def test_settings_written_by_hand_are_served(store: SqlStore) -> None:
    subscribe(store)
    store_rubbish(store, "body", "\n" + json.dumps({"email": BOB}, indent=2))
    assert send(publisher_over(store)) == ([ADA, BOB, CLEO], [])


def test_reader_of_topics_that_are_gone_is_named(store: SqlStore) -> None:
    subscribe(store)
    store_rubbish(store, "body", json.dumps({"email": BOB, "filter": {"topics": ["Alchemy"]}}))
    got, (fault,) = send(publisher_over(store))
    assert got == [ADA, CLEO]
    assert "none of their topics" in fault.words


@pytest.mark.parametrize("listed", ["{", '{"email": "bob@example.org", "filter": 5}'])
def test_unreadable_file_entry_of_before_gives_way(store: SqlStore, listed: str) -> None:
    subscribe(store)
    store_rubbish(store, "listed", listed)
    store_rubbish(store, "own", listed)
    entries = [subscriber(ADA), subscriber(BOB, name="Bob"), subscriber(CLEO)]
    for _ in range(2):
        store.sync_subscribers(entries, now=NOON)
    assert [reader.subscriber.name for reader in store.readers(emails=[BOB])] == ["Bob"]
    store.sync_subscribers(entries[:1], now=NOON)


def test_faulty_reader_can_still_leave_and_be_erased(store: SqlStore) -> None:
    subscribe(store)
    store_rubbish(store, "body", "{")
    send(publisher_over(store))
    assert store.set_status(BOB, "unsubscribed", now=NOON)
    assert report(publisher_over(store), DAY).skipped == ()
    assert [each.status for each in store.listed_readers()] == ["confirmed"] * 2 + ["unsubscribed"]
    store.erase(3, "x@erased.invalid", now=NOON)
    assert [reader.subscriber for reader in store.readers_by_id([3])] == [
        Subscriber("x@erased.invalid")
    ]


def test_every_usable_setting_is_left_alone(store: SqlStore) -> None:
    store.save_reader(EVERY_FIELD, status="confirmed", now=NOON)
    (reader,) = store.readers()
    assert (reader.subscriber, reader.fault, reader.fallback) == (EVERY_FIELD, "", "")
