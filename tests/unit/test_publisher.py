"""The use cases on a store, without a network."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import pytest
from typing_extensions import override

from newsletter.app.files import load_engine
from newsletter.errors import ConfigurationError, SourceError
from newsletter.letter.fragments import IssueFragments
from newsletter.model import (
    DATED,
    Filter,
    IdentifiedItem,
    Item,
    Listing,
    ListRequest,
    PlannedEdition,
    SourceHealth,
    SourceReport,
    Subscriber,
    Term,
    Topic,
    Wave,
)
from newsletter.papers.filters import parse_rule
from newsletter.papers.meanings import MeaningMatcher
from newsletter.ports import Source, Store
from newsletter.publisher.drafting import sample_reader
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.mailing import IssueMailer
from newsletter.publisher.previewing import (
    explain_as_new,
    explain_issue,
    preview,
    preview_as_new,
    preview_filter,
    preview_filters,
)
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import freeze, publish, waiting_readers
from newsletter.publisher.reporting import report
from newsletter.publisher.welcoming import plan_first_letter
from tests.support.clocks import ManualClock
from tests.support.databases import temporary_store
from tests.support.factories import DAY, NOON, identity, item
from tests.support.letters import message_bytes, parse_message, text_of_part
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, StubSource, publisher_over


@pytest.fixture
def publisher() -> Publisher:
    return publisher_over(temporary_store())


def listed(publisher: Publisher, *sources: Source, day: date = DAY) -> tuple[SourceReport, ...]:
    return asyncio.run(
        fetch_sources(sources, publisher.store, day, publisher.clock, lambda _report: None)
    )


def join(publisher: Publisher, *subscribers: Subscriber) -> None:
    publisher.store.sync_subscribers(subscribers, now=NOON)


def send(publisher: Publisher, day: date = DAY, run: str = "run") -> MemoryTransport:
    transport = MemoryTransport()
    freeze(publisher, day, waiting_readers(publisher, day), ())
    if publisher.store.counts(day).open:
        run_lock = KnownRuns(run)
        asyncio.run(
            publish(publisher, day, transport, run_lock=run_lock, progress=lambda _counts: None)
        )
    return transport


def recipients(transport: MemoryTransport) -> list[str]:
    return sorted(letter.envelope.recipient for letter in transport.letters)


def test_failing_source_leaves_others_alone(publisher: Publisher) -> None:
    reports = listed(
        publisher,
        StubSource("One", "Two"),
        StubSource(name="Down", failing=SourceError("down: no answer")),
        StubSource(name="Broken", failing=ValueError("a parser's mistake")),
        StubSource(name="Unset", failing=ConfigurationError("no such folder")),
    )
    assert [(r.name, r.state, r.new) for r in reports] == [
        ("Listed", "ok", 2),
        ("Down", "failed", 0),
        ("Broken", "failed", 0),
        ("Unset", "failed", 0),
    ]
    assert reports[1].detail == "down: no answer"
    assert reports[2].detail == "Broken: unexpected ValueError: a parser's mistake"
    assert reports[3].detail == "Unset: ConfigurationError: no such folder"


def test_cancelled_fetch_is_cancelled(publisher: Publisher) -> None:
    with pytest.raises(asyncio.CancelledError):
        listed(publisher, StubSource(failing=asyncio.CancelledError()))  # type: ignore[arg-type]


def test_same_list_on_a_later_day_is_stale(publisher: Publisher) -> None:
    listed(publisher, StubSource("One"))
    assert listed(publisher, StubSource("One"))[0].state == "ok"
    assert isinstance(publisher.clock, ManualClock)
    publisher.clock.time += timedelta(days=1)
    assert listed(publisher, StubSource("One"))[0].state == "stale"
    assert listed(publisher, StubSource("One"))[0].state == "stale"
    assert listed(publisher, StubSource("One", "Two"))[0].state == "ok"


def test_issue_reaches_every_reader_once(publisher: Publisher) -> None:
    join(
        publisher,
        Subscriber("ada@example.org"),
        Subscriber("bob@example.org", cadence="paused"),
        Subscriber("cy@example.org", filter=Filter(topics=("Vision",))),
    )
    listed(publisher, StubSource("A vision", "Something else"))
    assert recipients(send(publisher)) == ["ada@example.org", "cy@example.org"]
    assert recipients(send(publisher, run="again")) == []
    found = report(publisher, DAY)
    assert (found.state, found.papers, found.counts.accepted) == ("done", 2, 2)
    assert not found.troubled
    assert sample_reader(publisher).decided == 2


def test_paper_names_every_source_that_listed_it(publisher: Publisher) -> None:
    listed(publisher, StubSource("One", "Two", name="A"), StubSource("Two", name="B"))
    listed(publisher, StubSource("Two", name="A"))
    papers = publisher.store.papers(after=0, since=NOON)
    assert [(paper.item.title, paper.item.sources) for paper in papers] == [
        ("One", ("A",)),
        ("Two", ("A", "B")),
    ]


class PastSource(StubSource):
    """A feed whose entries are all old."""

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        (listing,) = await super().read(request)
        return (replace(listing, past=True),)


def test_paper_of_a_feeds_past_comes_once_it_is_news(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org"))
    past = PastSource("One", name="J")
    listed(publisher, past)
    assert recipients(send(publisher)) == []
    for day, sent in enumerate((["ada@example.org"], [], []), 1):
        publisher.clock.time += timedelta(days=1)  # type: ignore[attr-defined]
        listed(publisher, past, StubSource("One"))
        assert recipients(send(publisher, DAY + timedelta(days=day))) == sent


def test_past_that_the_operator_asks_for_is_sent(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org"))
    past = PastSource("One", name="J")
    listed(publisher, past)
    asked = fetch_sources([past], publisher.store, DAY, publisher.clock, since=DAY)
    assert asyncio.run(asked)[0].new == 1
    assert recipients(send(publisher)) == ["ada@example.org"]


def test_day_without_papers_is_skipped_and_retried(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org"))
    assert recipients(send(publisher)) == []
    assert publisher.store.issue_state(DAY) == ("skipped", "no new papers")
    assert sample_reader(publisher).decided == 0
    listed(publisher, StubSource("One"))
    assert recipients(send(publisher)) == ["ada@example.org"]


def test_day_without_any_answer_says_so(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org"))
    reports = listed(publisher, StubSource(failing=SourceError("no answer")))
    freeze(publisher, DAY, waiting_readers(publisher, DAY), reports)
    assert publisher.store.issue_state(DAY) == ("skipped", "no source answered")


def test_long_poll_leaves_older_lists_for_the_next(publisher: Publisher) -> None:
    clock = publisher.clock
    assert isinstance(clock, ManualClock)

    class Slow(StubSource):
        async def read(self, request: ListRequest) -> tuple[Listing, ...]:
            await clock.sleep(60)
            return await super().read(request)

    source = Slow("One")
    source.calendar = DATED
    listed(publisher, source)
    clock.time += timedelta(days=20)
    source.fetches = 0
    listed(publisher, source, day=clock.time.date())
    assert source.fetches == 6
    states = [row.state for row in publisher.store.coverage(source.name)]
    assert states.count("missing") == 14


class OfArchive(StubSource):
    """Lists the same paper of an archive whenever it is asked, and remembers for which dates."""

    def __init__(self, name: str, failing: Exception | None = None) -> None:
        super().__init__("One", name=name, failing=failing)
        self.calendar, self.parts = DATED, ("cs",)
        self.asked: list[date] = []

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        self.asked.append(request.day)
        return await super().read(request)


def poll_later(publisher: Publisher, source: Source, days: int) -> date:
    clock = publisher.clock
    assert isinstance(clock, ManualClock)
    clock.time += timedelta(days=days)
    listed(publisher, source, day=clock.time.date())
    return clock.time.date()


def test_archive_keeps_its_gaps_under_another_name(publisher: Publisher) -> None:
    listed(publisher, OfArchive("arXiv cs.CL"))
    missed = poll_later(publisher, OfArchive("arXiv cs.CL", SourceError("no answer")), 9)
    renamed = OfArchive("arXiv cs.CL, cs.LG")
    poll_later(publisher, renamed, 9)
    assert missed in renamed.asked


def test_source_polled_before_the_record_owes_since_then(publisher: Publisher) -> None:
    before = SourceHealth("Old", "ok", checked=NOON, last_ok=NOON)
    publisher.store.ingest(DAY, before, [], now=NOON)
    source = OfArchive("Old")
    today = poll_later(publisher, source, 9)
    assert (min(source.asked), max(source.asked)) == (DAY, today)


def test_removed_source_is_no_longer_reported(publisher: Publisher) -> None:
    kept, gone = StubSource("One"), StubSource(name="Gone", failing=SourceError("down"))
    listed(publisher, kept, gone)
    found = report(replace(publisher, sources=(kept,)), DAY)
    assert [one.name for one in found.sources] == [kept.name]


def test_issue_without_readers_freezes_nothing(publisher: Publisher) -> None:
    listed(publisher, StubSource("One"))
    assert recipients(send(publisher)) == []
    assert report(publisher, DAY).state is None


class FreezeWatch:
    """A store that knows whether it is freezing at the moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.freezing = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        return getattr(self._store, name)

    def freeze(self, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
        self.freezing = True
        return self._store.freeze(wave, plans)


def test_histories_are_read_within_the_freeze(publisher: Publisher) -> None:
    """A letter accepted between planning and freezing would have its papers sent again."""
    join(publisher, Subscriber(email="ada@example.org"))
    reports = listed(publisher, StubSource("hf"))
    store = FreezeWatch(publisher.store)
    watched = replace(publisher, store=cast("Store", store))
    read: list[bool] = []

    def histories(*args: object, **options: object) -> object:
        read.append(store.freezing)
        return publisher.store.reader_histories(*args, **options)  # type: ignore[arg-type]

    store.reader_histories = histories  # type: ignore[attr-defined]
    assert freeze(watched, DAY, waiting_readers(watched, DAY), reports)
    assert read == [True]


def test_wave_frozen_during_sending_is_compiled_too(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org"))
    listed(publisher, StubSource("One"))
    mailer = IssueMailer(publisher.store, publisher.keyring)
    freeze(publisher, DAY, waiting_readers(publisher, DAY), ())
    (claim,) = publisher.store.claim(DAY, limit=9, now=NOON, lease=60, token="run")
    assert mailer.envelope(claim).recipient == "ada@example.org"
    join(publisher, Subscriber("ada@example.org"), Subscriber("bob@example.org"))
    listed(publisher, StubSource("Two"))
    freeze(publisher, DAY, waiting_readers(publisher, DAY), (), due=NOON + timedelta(hours=1))
    (later,) = publisher.store.claim(DAY, limit=9, now=NOON, lease=60, token="run.2")
    assert mailer.envelope(later).recipient == "bob@example.org"


def test_fresh_preview_ignores_what_was_sent(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org", filter=Filter(topics=("Vision",))))
    listed(publisher, StubSource("Vision one", "Sound two"))
    assert recipients(send(publisher)) == ["ada@example.org"]
    (ada,) = publisher.store.readers()
    shown = preview_as_new(publisher, DAY, ada)
    assert len(shown.edition.papers) == 1
    assert [(v.title, v.included) for v in explain_as_new(publisher, DAY, ada)] == [
        ("Vision one", True),
        ("Sound two", False),
    ]


def test_newcomer_follows_the_name_that_a_topic_got_since(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org"))
    listed(publisher, StubSource("Of vision", "Something else"))
    send(publisher)
    sight = Topic("Sight", any=publisher.topics[0].any, formerly=("Vision",))
    renamed = replace(publisher, topics=(sight,))
    wants = Subscriber("bob@example.org", filter=Filter(topics=("Sight",)))
    bob = publisher.store.save_reader(wants, status="confirmed", now=NOON)
    assert plan_first_letter(renamed, bob) is not None
    (edition,) = [e for _, e in filter(None, [publisher.store.edition(DAY, wants.email)])]
    assert [section.name for section in edition.sections] == ["Vision"]
    cleo = replace(bob, id=77, subscriber=replace(wants, email="cleo@example.org"), decided=0)
    verdicts = explain_issue(renamed, DAY, [cleo])
    assert [verdict.included for verdict in verdicts] == [False, True]


def test_filters_tried_together_find_the_same(publisher: Publisher) -> None:
    listed(publisher, StubSource("Vision one", "Sound two", "Vision four"))
    wants = (
        Filter(topics=("Vision",)),
        Filter(exclude=(parse_rule("sound"),), include=(parse_rule("one or sound"),)),
        Filter(),
    )
    asked = [Subscriber("ada@example.org", filter=each) for each in wants]
    together = preview_filters(publisher, asked, DAY, 3)
    assert together == [preview_filter(publisher, each, DAY, 3) for each in asked]
    assert [(day.papers, day.matches) for (day,) in together] == [(3, 2), (3, 1), (3, 3)]
    (first,) = preview_filters(publisher, asked, DAY, 3, most=1)[2]
    assert (first.matches, len(first.included)) == (3, 1)
    assert first.included[0] == together[2][0].included[0]


def test_letter_for_another_recipient_has_nonexistent_reader(
    publisher: Publisher,
) -> None:
    join(publisher, Subscriber("ada@example.org"))
    listed(publisher, StubSource("Vision one"))
    (ada,) = publisher.store.readers()
    (before,) = preview(publisher, DAY, [ada])
    (redirected,) = preview(publisher, DAY, [ada], "me@example.org")
    send(publisher)
    (frozen,) = preview(publisher, DAY, [ada], "me@example.org")
    for proof in (redirected, frozen, preview_as_new(publisher, DAY, ada, "me@example.org")):
        assert proof.envelope.recipient == "me@example.org"
        assert proof.edition.papers == before.edition.papers
        assert proof.envelope.message_id != before.envelope.message_id
        assert publisher.store.reader_by_id(proof.edition.to.id) is None


def test_preview_shows_frozen_issue_or_draft(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org"))
    listed(publisher, StubSource("One"))
    before = [
        proof.envelope.content for proof in preview(publisher, DAY, publisher.store.readers())
    ]
    assert len(before) == 1
    transport = send(publisher)
    (after,) = preview(publisher, DAY, publisher.store.readers())
    assert b"".join(after.envelope.content) == b"".join(transport.letters[0].envelope.content)


def test_why_covers_frozen_issues_and_absent_readers(publisher: Publisher) -> None:
    join(publisher, Subscriber("ada@example.org", filter=Filter(topics=("Vision",))))
    listed(publisher, StubSource("A vision", "Something else"))
    assert [v.included for v in explain_issue(publisher, DAY, publisher.store.readers())] == [
        False,
        True,
    ]
    send(publisher)
    join(
        publisher,
        Subscriber("ada@example.org"),
        Subscriber("bob@example.org"),
    )
    verdicts = list(explain_issue(publisher, DAY, publisher.store.readers()))
    assert [(v.reader, v.included, v.reason) for v in verdicts] == [
        ("ada@example.org", False, "in no followed topic, and no include matches"),
        ("ada@example.org", True, "topic Vision: “vision”"),
        ("bob@example.org", False, "decided in an earlier issue"),
        ("bob@example.org", False, "decided in an earlier issue"),
    ]


class SilentMatcher(MeaningMatcher):
    """A matcher that finds wishes and fails to say why."""

    @override
    def evidence(self, items: Sequence[Item], index: int, wish: Term) -> str:
        raise KeyError(wish.text)


def test_wish_that_breaks_stops_only_its_reader(
    publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = replace(publisher, matcher=SilentMatcher(load_engine))
    wants = Filter(include=(parse_rule("about: vision of robots"),))
    join(publisher, Subscriber("ada@example.org"), Subscriber("bob@example.org", filter=wants))
    listed(publisher, StubSource("Vision of robots"))
    assert [letter.envelope.recipient for letter in send(publisher).letters] == ["ada@example.org"]
    assert "reader bob@example.org" in caplog.text


def test_papers_that_nobody_can_get_yet_are_not_rendered(publisher: Publisher) -> None:
    assert isinstance(publisher.clock, ManualClock)
    issues: list[dict[str, bool]] = []
    for day, least, title in ((0, 9, "Sparrow"), (1, 9, "Woodpecker"), (2, 5, "Nightingale")):
        wants = Filter(min_upvotes=least)  # the stub's papers have an upvote for each letter
        join(publisher, Subscriber("ada@example.org", filter=wants))
        listed(publisher, StubSource("Swan", title))
        send(publisher, DAY + timedelta(days=day))
        for wave in publisher.store.waves(DAY + timedelta(days=day)):
            rows = IssueFragments.load(wave.pieces).html.rows
            titles = [paper.item.title for paper in wave.issue.papers]
            issues.append({title: bool(row) for title, row in zip(titles, rows, strict=True)})
        publisher.clock.time += timedelta(days=1)
    assert issues == [
        {"Sparrow": True, "Swan": True},
        {"Woodpecker": True, "Sparrow": False, "Swan": False},
        {"Nightingale": True, "Sparrow": True, "Swan": False},
    ]
    sent = publisher.store.edition(DAY + timedelta(days=2), "ada@example.org")
    assert sent is not None
    assert len(sent[1].papers) == 2


def test_issues_do_not_grow_with_history(publisher: Publisher) -> None:
    """A paper without its upvotes is judged again for three days, however often it falls short."""
    assert isinstance(publisher.clock, ManualClock)
    wants = Filter(min_upvotes=60)  # the stub's papers have an upvote for each letter
    join(publisher, Subscriber("ada@example.org", filter=wants))
    again = []
    for ahead in range(7):
        day = DAY + timedelta(days=ahead)
        listed(publisher, StubSource(f"Swan {ahead}", "Nightingale"), day=day)
        send(publisher, day)
        (wave,) = publisher.store.waves(day)
        numbers = [paper.number for paper in wave.issue.papers]
        again.append(sorted(n for n in numbers if n <= wave.issue.after))
        publisher.clock.time += timedelta(days=1)
    assert again == [[], [1, 2], [1, 2, 3], [1, 2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7]]


def test_card_says_how_upvotes_grew(publisher: Publisher) -> None:
    assert isinstance(publisher.clock, ManualClock)
    join(publisher, Subscriber("ada@example.org", filter=Filter(min_upvotes=60)))
    for back, upvotes in ((1, 58), (0, 98)):
        day = DAY - timedelta(days=back)
        owl = IdentifiedItem(item("Owl", upvotes=upvotes), identity("arxiv:1"))
        new = IdentifiedItem(item(f"Swan {back}", upvotes=upvotes + 20), identity(f"arxiv:2{back}"))
        now = publisher.clock.now() - timedelta(days=back)
        publisher.store.ingest(day, SourceHealth("Listed", "ok"), [owl, new], now=now)
        letters = send(publisher, day).letters
    (letter,) = letters
    text = text_of_part(parse_message(message_bytes(letter.envelope)), "plain")
    assert "▲ 98 · up 40 since yesterday" in text
    assert text.count("yesterday") == 1


def test_letters_without_papers_leave_if_asked_for(publisher: Publisher) -> None:
    """What it names does not count as sent."""
    publisher = replace(publisher, when_empty="send")
    vision = Filter(topics=("Vision",))
    join(publisher, Subscriber("ada@example.org", filter=vision), Subscriber("bob@example.org"))
    listed(publisher, StubSource("Swan", "Nightingale"))
    transport = send(publisher)
    assert recipients(transport) == ["ada@example.org", "bob@example.org"]
    (ada,) = (one for one in transport.letters if one.envelope.recipient == "ada@example.org")
    message = parse_message(message_bytes(ada.envelope))
    assert message["Subject"] == "N: no new papers for you"
    text = text_of_part(message, "plain")
    assert "None of the 2 new papers matched your topics and filters." in text
    assert text.index("- ▲ 11 Nightingale") < text.index("- ▲ 4 Swan")
    assert not any(proof.rows for proof in publisher.store.audit(DAY).proofs)
    assert send(publisher).letters == []
    assert recipients(send(publisher, DAY + timedelta(days=1))) == recipients(transport)
