"""The store's readers: those of the operator's file, of the pages, and those who left."""

from array import array
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from newsletter.model import Consent, Filter, ListedReader, ListedStatus, Reader, Status, Subscriber
from newsletter.ports import Store
from newsletter.readers.erasing import ERASED
from tests.support.factories import EVERY_FIELD, NOON, subscriber

ADA = EVERY_FIELD.email
LATER = NOON + timedelta(days=1)


def sync(store: Store, *emails: str) -> None:
    store.sync_subscribers([subscriber(email) for email in emails], now=NOON)


def statuses(store: Store) -> dict[str, Status]:
    return {reader.subscriber.email: reader.status for reader in store.readers()}


def only_reader(store: Store) -> Reader:
    (reader,) = store.readers()
    return reader


def test_new_readers_in_the_file_join_confirmed(store: Store) -> None:
    sync(store, "ada@example.org", "bob@example.org")
    ada, bob = store.readers()
    assert (ada.id, ada.subscriber.email, ada.status) == (1, "ada@example.org", "confirmed")
    assert (ada.origin, ada.decided, bob.id) == ("file", 0, 2)


def test_every_subscriber_field_round_trips(store: Store) -> None:
    for most in (20, 0):
        whole = replace(EVERY_FIELD, filter=replace(EVERY_FIELD.filter, max_items=most))
        store.sync_subscribers([whole], now=NOON)
        assert only_reader(store).subscriber == whole


def test_file_values_replace_stored_ones(store: Store) -> None:
    sync(store, "ada@example.org")
    store.sync_subscribers([subscriber(name="Ada", day=2)], now=LATER)
    assert only_reader(store).subscriber == subscriber(name="Ada", day=2)
    assert only_reader(store).id == 1


def test_readers_removed_from_file_may_return(store: Store) -> None:
    sync(store, "ada@example.org", "bob@example.org")
    sync(store, "bob@example.org")
    assert statuses(store) == {"ada@example.org": "removed", "bob@example.org": "confirmed"}
    sync(store, "ada@example.org", "bob@example.org")
    assert statuses(store)["ada@example.org"] == "confirmed"
    assert [reader.id for reader in store.readers()] == [1, 2]


def test_readers_struck_from_the_file_are_told(store: Store) -> None:
    sync(store, "ada@example.org", "bob@example.org", "cyd@example.org")
    store.set_status("cyd@example.org", "unsubscribed", now=NOON)
    told = store.sync_subscribers([subscriber("bob@example.org")], now=NOON)
    assert [(each.email, each.replaced) for each in told] == [("ada@example.org", ())]
    assert store.sync_subscribers([subscriber("bob@example.org")], now=NOON) == ()


@pytest.mark.parametrize("gone", ["unsubscribed", "blocked"])
def test_unsubscribing_outlives_the_file(store: Store, gone: Status) -> None:
    sync(store, "ada@example.org")
    assert store.set_status("ada@example.org", gone, now=NOON)
    sync(store, "ada@example.org")
    assert only_reader(store).status == gone
    sync(store)
    assert only_reader(store).status == gone
    sync(store, "ada@example.org")
    assert only_reader(store).status == gone


def test_online_reader_stays_without_a_file_entry(store: Store) -> None:
    store.save_reader(subscriber(), status="confirmed", now=NOON)
    sync(store, "bob@example.org")
    assert statuses(store)["ada@example.org"] == "confirmed"


def test_online_reader_named_in_file_belongs_to_file(store: Store) -> None:
    store.save_reader(subscriber(name="Ada"), status="unconfirmed", now=NOON)
    store.sync_subscribers([subscriber(name="A.")], now=LATER)
    reader = only_reader(store)
    assert (reader.origin, reader.status, reader.subscriber.name) == ("file", "confirmed", "A.")


def test_saving_adds_or_replaces_an_online_reader(store: Store) -> None:
    joined = store.save_reader(subscriber(), status="unconfirmed", now=NOON)
    assert joined == Reader(1, subscriber(), "unconfirmed", 0, "store")
    changed = store.save_reader(subscriber(name="Ada"), status="confirmed", now=LATER)
    assert changed == Reader(1, subscriber(name="Ada"), "confirmed", 0, "store")
    assert store.readers() == (changed,)


def test_saving_keeps_a_file_reader_in_the_file(store: Store) -> None:
    sync(store, "ada@example.org")
    saved = store.save_reader(subscriber(name="Ada"), status="confirmed", now=LATER)
    assert (saved.origin, saved.subscriber.name) == ("file", "Ada")
    sync(store)
    assert only_reader(store).status == "removed"


def test_unknown_address_unsubscribing_stores_nothing(store: Store) -> None:
    assert not store.set_status("nobody@example.org", "unsubscribed", now=NOON)
    assert store.readers() == ()


def test_readers_are_found_by_address(store: Store) -> None:
    sync(store, "cyd@example.org", "ada@example.org", "bob@example.org")
    found = store.readers(emails=["bob@example.org", "cyd@example.org", "nobody@example.org"])
    assert [reader.id for reader in found] == [1, 3]
    assert store.readers(emails=[]) == ()


def test_iteration_yields_each_reader_once_by_id(store: Store) -> None:
    assert list(store.each_reader()) == []
    sync(store, *(f"reader{n}@example.org" for n in range(1200)))
    sync(store, *(f"reader{n}@example.org" for n in range(1100)))
    assert tuple(store.each_reader()) == store.readers()
    assert [reader.id for reader in store.each_reader()] == list(range(1, 1201))


def test_iteration_includes_readers_changed_meanwhile(store: Store) -> None:
    sync(store, *(f"reader{n}@example.org" for n in range(1200)))
    everybody = store.each_reader()
    assert next(everybody).id == 1
    store.set_status("reader1100@example.org", "unsubscribed", now=LATER)
    assert [reader.id for reader in everybody] == list(range(2, 1201))


def test_topics_are_read_of_confirmed_readers_alone(store: Store) -> None:
    assert list(store.followed_topics()) == []
    names = [f"reader{n}@example.org" for n in range(1100)]
    store.sync_subscribers(
        [Subscriber(name, filter=Filter(topics=("A", "B"))) for name in names[:-1]]
        + [Subscriber(names[-1])],
        now=NOON,
    )
    store.set_status(names[7], "unsubscribed", now=LATER)
    followed = [(name, ("A", "B")) for name in names[:-1] if name != names[7]]
    assert list(store.followed_topics()) == followed


def test_readers_are_found_by_id(store: Store) -> None:
    sync(store, *(f"reader{n}@example.org" for n in range(1200)))
    found = store.readers_by_id([7, 3, 1200, 4711])
    assert [reader.id for reader in found] == [3, 7, 1200]
    assert found == tuple(r for r in store.readers() if r.id in {3, 7, 1200})
    assert len(store.readers_by_id(array("q", range(1, 1101)))) == 1100
    assert store.readers_by_id([]) == ()


def test_large_subscriber_list_is_stored(store: Store) -> None:
    emails = [f"reader{n}@example.org" for n in range(1200)]
    sync(store, *emails)
    sync(store, *emails[:-1])
    assert len(store.readers(emails=emails)) == 1200
    assert list(statuses(store).values()).count("removed") == 1


class TestImportedDepartures:
    """People who left elsewhere, as another list has them."""

    def depart(
        self,
        store: Store,
        email: str = "ada@example.org",
        *,
        status: ListedStatus = "unsubscribed",
        since: datetime | None = None,
    ) -> bool:
        listed = ListedReader(subscriber(email), status, since)
        return store.import_departure(listed, now=LATER)

    def test_somebody_unknown_is_kept_away(self, store: Store) -> None:
        assert self.depart(store, since=NOON)
        sync(store, "ada@example.org")
        assert store.listed_readers() == (ListedReader(subscriber(), "unsubscribed", NOON),)

    def test_known_reader_leaves_whatever_the_spelling(self, store: Store) -> None:
        sync(store, "ada@example.org")
        assert self.depart(store, "Ada@example.org", status="blocked")
        assert statuses(store) == {"ada@example.org": "blocked"}

    @pytest.mark.parametrize("gone", ["unsubscribed", "blocked"])
    def test_somebody_who_left_stays_as_they_are(self, store: Store, gone: Status) -> None:
        sync(store, "ada@example.org")
        store.set_status("ada@example.org", gone, now=NOON)
        assert not self.depart(store)
        assert only_reader(store).status == gone

    def test_later_consent_outranks_a_departure(self, store: Store) -> None:
        store.save_reader(subscriber(), status="unconfirmed", now=NOON)
        store.record_consent(1, Consent(LATER, "by a link", "yes"))
        assert not self.depart(store, since=NOON)
        assert self.depart(store, since=LATER + timedelta(days=1))
        assert only_reader(store).status == "unsubscribed"

    def test_listed_readers_have_their_last_consent(self, store: Store) -> None:
        sync(store, "ada@example.org", "bob@example.org")
        for at in (NOON, LATER, LATER):
            store.import_readers([ListedReader(subscriber(), consented=at)], now=NOON)
        assert [each.consented for each in store.listed_readers()] == [LATER, None]
        assert len(store.consents(1)) == 2


class TestImportedReaders:
    """A list of readers, stored in one transaction."""

    def test_known_and_new_readers_are_stored_together(self, store: Store) -> None:
        store.save_reader(EVERY_FIELD, status="waiting", now=NOON)
        store.save_reader(subscriber("bob@example.org"), status="confirmed", now=NOON)
        listed = [
            ListedReader(replace(EVERY_FIELD, at="09:00"), consented=NOON, named=frozenset({"at"})),
            ListedReader(subscriber("bob@example.org"), "blocked"),
            ListedReader(subscriber("cyd@example.org")),
            ListedReader(subscriber("dan@example.org"), "unsubscribed", NOON),
        ]
        ids = store.import_readers(listed, now=LATER)
        assert [(each.status, ids[each.subscriber.email]) for each in store.readers()] == [
            ("confirmed", 1),
            ("blocked", 2),
            ("confirmed", 3),
            ("unsubscribed", 4),
        ]
        found = {each.subscriber.email: each for each in store.listed_readers()}
        assert found[EVERY_FIELD.email] == listed[0]
        assert found["dan@example.org"].since == NOON

    def test_reader_struck_from_file_becomes_the_stores(self, store: Store) -> None:
        sync(store, "ada@example.org")
        sync(store)
        store.import_readers([ListedReader(subscriber())], now=LATER)
        sync(store)
        assert statuses(store) == {"ada@example.org": "confirmed"}


class TestReaderOfTheStoreInTheFile:
    """A reader who subscribed themselves, and whom the operator's file names for a while."""

    own = replace(EVERY_FIELD, at=None)

    def known(self, store: Store) -> Subscriber:
        return only_reader(store).subscriber

    def join(self, store: Store) -> None:
        store.save_reader(self.own, status="confirmed", now=NOON)

    def list(self, store: Store, *named: str, **fields: object) -> None:
        entry = subscriber("ada@example.org", **fields)
        store.sync_subscribers([entry], named={entry.email: named}, now=LATER)

    def test_choices_stay_until_the_file_names_one(self, store: Store) -> None:
        self.join(store)
        self.list(store)
        assert self.known(store) == self.own
        assert only_reader(store).origin == "file"
        self.list(store, cadence="daily")
        assert self.known(store) == replace(self.own, cadence="daily")
        self.list(store, "summary")
        assert self.known(store) == replace(self.own, summary="short")

    def test_struck_reader_is_the_stores_as_before(self, store: Store) -> None:
        self.join(store)
        before = only_reader(store)
        self.list(store, "summary", cadence="daily", name="A.")
        self.list(store, "summary", cadence="daily", name="Ada L.")
        sync(store)
        assert only_reader(store) == before
        sync(store)
        assert only_reader(store) == before

    def test_choices_made_meanwhile_are_kept(self, store: Store) -> None:
        self.join(store)
        self.list(store, cadence="daily", at="06:00")
        chosen = replace(self.known(store), at="09:00", filter=Filter())
        store.save_reader(chosen, status="confirmed", now=LATER)
        self.list(store, cadence="daily", at="06:00")
        assert self.known(store) == chosen
        sync(store)
        assert self.known(store) == replace(chosen, cadence=self.own.cadence)

    def test_choices_that_the_file_replaces_are_told(self, store: Store) -> None:
        self.join(store)
        listed = replace(self.own, at="09:00", summary="titles")
        (told,) = store.sync_subscribers([listed], named={ADA: ["summary"]}, now=NOON)
        assert [(each.field, each.after) for each in told.replaced] == [
            ("at", "09:00"),
            ("summary", "titles"),
        ]
        again = replace(listed, at="10:00")
        assert store.sync_subscribers([again], named={ADA: ["summary"]}, now=NOON) == ()

    def test_leaving_outlives_the_file_entry(self, store: Store) -> None:
        self.join(store)
        self.list(store)
        store.set_status(self.own.email, "unsubscribed", now=LATER)
        sync(store)
        assert (only_reader(store).status, only_reader(store).origin) == ("unsubscribed", "store")
        self.list(store)
        assert only_reader(store).status == "unsubscribed"


def test_search_finds_parts_of_address_and_name(store: Store) -> None:
    sync(store, "ada@example.org", "bob@example.org", "cyd@example.org", "dee@example.org")
    store.save_reader(subscriber(name="Ada Çelik"), status="confirmed", now=NOON)
    store.set_status("bob@example.org", "blocked", now=NOON)
    store.erase(4, f"hash.4{ERASED}", now=NOON)

    def found(
        words: str, status: Status | None = None, before: int | None = None, limit: int = 9
    ) -> list[int]:
        readers = store.search_readers(words, status=status, before=before, limit=limit)
        return [reader.id for reader in readers]

    assert found("") == [3, 2, 1]
    assert found("EXAMPLE", before=3) == [2, 1]
    assert found("celik") == [1]
    assert found("b", "blocked") == [2]
    assert found("", limit=2) == [3, 2]
    assert store.erased_aliases() == (f"hash.4{ERASED}",)
    assert found("hash") == found("%") == found("\0") == []
