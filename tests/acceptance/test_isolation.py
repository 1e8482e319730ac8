"""An unexpected exception stops one reader, source, paper or letter, and is named everywhere."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from newsletter.app.scheduler import Scheduler
from newsletter.app.wiring import App, open_app
from newsletter.delivery.delivering import DeliveryRun
from newsletter.delivery.store_wait import StoreWait
from newsletter.doctor.checks import examine
from newsletter.model import Claim, Counts, Envelope, Item, Matches, Subscriber, Term
from newsletter.papers.matching import RulesMatcher
from newsletter.publisher.mailing import IssueMailer
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import publish
from newsletter.publisher.ticking import Deliver, SchedulerState
from tests.support.cli import Newsletter
from tests.support.daemons import clock_time, not_at_midnight
from tests.support.logs import log_tracebacks
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, StubSource

OPERATOR = "editor@example.org"
ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"

pytestmark = not_at_midnight


class BrokenMatcher(RulesMatcher):
    """A matcher that fails on one term and on one paper."""

    def __init__(self, term: str = "", title: str = "") -> None:
        self.term, self.title = term, title

    @override
    def match(self, items: Sequence[Item], terms: Collection[Term]) -> Matches:
        if any(term.text == self.term for term in terms):
            raise KeyError(self.term)
        if any(item.title == self.title for item in items):
            raise KeyError(self.title)
        return super().match(items, terms)


@dataclass
class Scene:
    """A newsletter in a folder, one part of which the test breaks, and the results."""

    newsletter: Newsletter
    app: App
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    tracebacks: list[str] = field(default_factory=list)

    def run(self, publisher: Publisher, deliver: Deliver | None = None) -> None:
        """Run the daemon until the operator has an email."""

        async def usual(day: date, turn: str) -> Counts:
            return await publish(
                publisher, day, self.transport, run_lock=KnownRuns("here"), turn=turn
            )

        scheduler = Scheduler(
            publisher=publisher,
            state=SchedulerState(self.app.default_schedule),
            deliver=deliver or usual,
            transport=self.transport,
            refresh=(),
            note_templates=lambda: self.app.notes["report"],
            name="run here",
            store_wait=StoreWait(publisher.clock),
        )
        with log_tracebacks() as self.tracebacks:
            asyncio.run(_keep(scheduler, lambda: OPERATOR in self.recipients))

    @property
    def recipients(self) -> list[str]:
        return sorted(letter.envelope.recipient for letter in self.transport.letters)

    @property
    def operator_mail(self) -> str:
        (letter,) = (x.envelope for x in self.transport.letters if x.envelope.recipient == OPERATOR)
        return " ".join(b"".join(letter.content).decode().replace("=\r\n", "").split())

    def assert_named(self, *words: str, traceback: bool = True) -> None:
        """Check that status, its JSON, doctor, log and the operator's email have these words."""
        status = self.newsletter.run("status").stdout
        document = str(self.newsletter.json("status"))
        findings = examine(self.newsletter.folder / "newsletter.yaml", None)
        wrong = " ".join(finding.said for finding in findings if finding.state == "wrong")
        for text in (status, document, wrong, self.operator_mail):
            for word in words:
                assert word in text
        assert any("Traceback" in text for text in self.tracebacks) or not traceback


async def _keep(scheduler: Scheduler, condition: Callable[[], bool]) -> None:
    stopping = asyncio.Event()
    keeping = asyncio.create_task(scheduler.keep(stopping))
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.wait({keeping}, timeout=0.01)
    stopping.set()
    await keeping


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with scene_in(tmp_path) as made:
        yield made


@contextmanager
def scene_in(folder: Path) -> Iterator[Scene]:
    newsletter = Newsletter(folder)
    newsletter.configure(operator=OPERATOR, schedule={"at": clock_time(-1), "days": "daily"})
    readers: list[dict[str, Any]] = [{"email": ADA}, {"email": BOB}, {"email": CLEO}]
    newsletter.subscribe(*readers)
    with open_app(folder / "newsletter.yaml") as app:
        app.readers()
        yield Scene(newsletter, app)


def publisher_of(scene: Scene, *sources: StubSource) -> Publisher:
    return replace(scene.app.publisher, sources=sources or (StubSource("One", "Two"),))


@pytest.mark.slow
def test_matcher_failing_on_one_reader_stops_that_reader(scene: Scene) -> None:
    publisher = publisher_of(scene)
    scene.newsletter.subscribe(
        {"email": ADA}, {"email": BOB, "include": ["poison"]}, {"email": CLEO}
    )
    scene.app.sync_readers()
    scene.run(replace(publisher, matcher=BrokenMatcher(term="poison")))
    assert scene.recipients == [ADA, CLEO, OPERATOR]
    scene.assert_named(BOB, "KeyError")
    assert scene.newsletter.json("status")["planned"] == 2


@pytest.mark.slow
def test_reader_with_broken_settings_stops_that_reader(scene: Scene) -> None:
    newer: Any = "fortnightly"
    save(scene, Subscriber(BOB, cadence=newer))
    scene.run(publisher_of(scene))
    assert scene.recipients == [ADA, CLEO, OPERATOR]
    scene.assert_named(BOB, "fortnightly", traceback=False)
    save(scene, Subscriber(BOB))
    assert scene.newsletter.json("status")["faults"] == []


@pytest.mark.slow
def test_reader_with_an_unknown_zone_is_served(scene: Scene) -> None:
    save(scene, Subscriber(BOB, timezone="Mars/Olympus"))
    scene.run(publisher_of(scene))
    assert scene.recipients == [ADA, BOB, CLEO, OPERATOR]
    scene.assert_named(BOB, "Mars/Olympus", traceback=False)


@pytest.mark.slow
def test_send_by_cron_leaves_the_name_for_status(scene: Scene) -> None:
    newer: Any = "fortnightly"
    save(scene, Subscriber(BOB, cadence=newer), Subscriber(CLEO, timezone="localtime"))
    day = scene.app.clock.now().date().isoformat()
    sent = scene.newsletter.run("send", "--date", day, "--yes", code=5)
    status = scene.newsletter.run("status")
    for shown in (sent.stdout, status.stdout):
        assert f"skipped: reader {BOB}: stored settings cannot be used" in shown
        assert f"note: reader {CLEO}: timezone 'localtime' cannot be used" in shown
    assert scene.newsletter.json("subscribers", "list")[1]["fault"].endswith("'fortnightly'")
    findings = examine(scene.newsletter.folder / "newsletter.yaml", None)
    (found,) = (finding for finding in findings if finding.name == "readers")
    assert (found.state, BOB in found.said, CLEO in found.said) == ("wrong", True, True)
    refused = scene.newsletter.run("why", BOB, "--date", day, code=2)
    assert "fortnightly" in refused.stderr


def save(scene: Scene, *subscribers: Subscriber) -> None:
    for subscriber in subscribers:
        now = scene.app.clock.now()
        scene.app.store.save_reader(subscriber, status="confirmed", now=now)


@pytest.mark.slow
def test_source_raising_stops_that_source(scene: Scene) -> None:
    feed = {"kind": "feed", "name": "Broken", "url": "https://feeds.example.org/"}
    schedule = {"at": clock_time(-1), "days": "daily"}
    scene.newsletter.configure(operator=OPERATOR, schedule=schedule, sources=[feed])
    broken = StubSource(name="Broken", failing=KeyError("entries"))
    scene.run(publisher_of(scene, StubSource("One"), broken))
    assert scene.recipients == [ADA, BOB, CLEO, OPERATOR]
    scene.assert_named("Broken", "KeyError")


@pytest.mark.slow
def test_paper_that_breaks_the_matcher_stops_that_paper(scene: Scene) -> None:
    publisher = publisher_of(scene, StubSource("One", "Bad"))
    scene.run(replace(publisher, matcher=BrokenMatcher(title="Bad")))
    assert scene.recipients == [ADA, BOB, CLEO, OPERATOR]
    (letter,) = (x.envelope for x in scene.transport.letters if x.envelope.recipient == ADA)
    assert b"Bad" not in b"".join(letter.content)
    scene.assert_named("Bad", "KeyError")


@pytest.mark.slow
def test_letter_that_cannot_be_built_stops_that_letter(scene: Scene) -> None:
    publisher = publisher_of(scene)

    async def deliver(day: date, turn: str) -> Counts:
        mailer = IssueMailer(publisher.store, publisher.keyring)

        def build(claim: Claim) -> Envelope:
            if claim.edition.to.email == BOB:
                raise KeyError("name")
            return mailer.envelope(claim)

        return await DeliveryRun(
            publisher.store, scene.transport, publisher.clock, day, build, run=f"here.{turn}"
        ).deliver()

    scene.run(publisher, deliver)
    assert scene.recipients == [ADA, CLEO, OPERATOR]
    scene.assert_named(BOB, "KeyError")
    status = scene.newsletter.json("status")
    assert (status["accepted"], status["deferred"]) == (2, 1)


@pytest.mark.slow
def test_skipped_reader_gets_the_letter_once_it_works(scene: Scene) -> None:
    publisher = publisher_of(scene)
    scene.newsletter.subscribe({"email": ADA}, {"email": BOB, "include": ["poison"]})
    scene.app.sync_readers()
    scene.run(replace(publisher, matcher=BrokenMatcher(term="poison")))
    day = publisher.store.issue_days()[0]
    scene.newsletter.subscribe({"email": ADA}, {"email": BOB})
    scene.app.sync_readers()
    sent = scene.newsletter.run("send", "--date", day.isoformat(), "--yes", "--dry-run").stdout
    assert sent.startswith("1 ")
