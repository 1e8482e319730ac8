"""A large issue sent by several real processes: shared, stopped, killed, refused (R37)."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from newsletter.app import workers
from newsletter.app.app import App, open_app
from newsletter.app.workers import publish
from newsletter.cli import run
from newsletter.errors import StoreError, TryAgainError
from newsletter.model import Counts
from tests.faults.axes import MARK_OVER
from tests.faults.command import step
from tests.faults.contenders import CONTENDERS, DAY, ROOT, Words, in_hand
from tests.faults.recorder import Phase, Recorder, pause, recording
from tests.faults.torture_run import Plan
from tests.support.cli import Newsletter
from tests.support.daemons import not_at_midnight, papers, set_up
from tests.support.daemons import until as happened
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox

NEWSLETTER = CONTENDERS["newsletter"]
PLAN = Plan(kills=1, letters=300, connections=4, processes=2)
LARGE = replace(PLAN, letters=4000)
"""So many that several processes send it as it is."""

SIZES = pytest.mark.parametrize(
    "plan", [PLAN, pytest.param(LARGE, marks=pytest.mark.slow)], ids=["few", "thousands"]
)

FIRST = 10
"""Letters the first process sends before the server waits for the others."""

EACH = {"each": 50}
TODAY = date.fromisoformat(DAY)
PATIENCE = 60.0

STOPPED = 75
"""The exit code of a run that is to be tried again."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    if request.param == "sqlite":
        return sqlite(tmp_path)
    emptied: str = request.getfixturevalue("empty_postgres")
    return emptied


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder}/newsletter.db"


class Scene:
    """A newsletter with an issue to send, and a server that goes deaf after some letters."""

    def __init__(self, folder: Path, store: str, plan: Plan = PLAN) -> None:
        self.folder, self.store, self.plan = folder, store, plan
        self.recorder = Recorder(self._hear)
        self.configuration = str(folder / "newsletter.yaml")
        self.deaf = asyncio.Event()
        self.sending = NEWSLETTER.sending({} if plan is LARGE else EACH)

    def _hear(self, phase: Phase, count: int) -> None:
        if (phase, count) == ("MAIL", FIRST) and not self.deaf.is_set():
            self.recorder.attentive.clear()
            self.deaf.set()

    async def started(self, words: Words) -> Process:
        """A command of ours."""
        return await asyncio.create_subprocess_exec(
            *words,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=PIPE,
            stderr=PIPE,
        )

    async def run(self) -> tuple[int | None, str]:
        """Send what is left; the exit code, what it complained of."""
        return await ended(await self.started(self.sending))

    async def all_at_work(self) -> Process:
        """The first of the processes, once all connections of all of them are open.

        The server listens to none of them until it is told to.
        """
        first = await self.started(self.sending)
        await until(lambda: self.recorder.sessions == self.plan.connections)
        assert self.deaf.is_set()
        return first

    def listen(self) -> None:
        self.recorder.attentive.set()

    @property
    def copies(self) -> Counter[int]:
        """How many readers got how many copies."""
        return Counter(self.recorder.by_recipient.values())

    @property
    def states(self) -> Counter[str]:
        return Counter(state for state, _ in NEWSLETTER.ledger(self.store).values())

    @property
    def in_doubt(self) -> set[str]:
        """Who was ever in doubt; the ledger keeps its promise."""
        assert not NEWSLETTER.broken(self.store)
        return {email for email, (_, doubts) in NEWSLETTER.ledger(self.store).items() if doubts}

    def is_done(self, *, doubts: int = 0) -> None:
        """Every reader has one letter, but those who were in doubt may have two."""
        doubtful = self.in_doubt
        assert len(doubtful) <= doubts
        assert sum(self.copies.values()) == self.plan.letters
        twice = {email for email, count in self.recorder.by_recipient.items() if count > 1}
        assert twice <= doubtful
        assert max(self.copies) <= 1 + bool(doubts)
        assert self.states == {"accepted": self.plan.letters}


@contextlib.asynccontextmanager
async def scene(folder: Path, store: str | None = None, plan: Plan = PLAN) -> AsyncIterator[Scene]:
    made = Scene(folder, store or sqlite(folder), plan)
    async with recording(made.recorder):
        for words in NEWSLETTER.prepare(folder, made.recorder.port, plan, made.store):
            here = [*words[words.index("newsletter") + 1 :], "--config", made.configuration]
            here[here.index("readers.csv")] = str(folder / "readers.csv")
            assert await asyncio.to_thread(run, [*here, "--quiet"]) == 0
        yield made


async def ended(process: Process) -> tuple[int | None, str]:
    """A process's exit code and its complaints."""
    _, said = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, said.decode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await pause(0.01)


def children(process: int) -> list[int]:
    """The processes it has started that have not ended."""
    there = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in there.read_text(encoding="ascii").split()]


def is_alive(process: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(") ")[2][:1]
        return state not in "ZX"
    return False


@SIZES
def test_two_processes_share_an_issue_and_the_connections(
    tmp_path: Path, any_store: str, plan: Plan
) -> None:
    async def told() -> None:
        async with scene(tmp_path, any_store, plan) as at:
            first = await at.all_at_work()
            at.listen()
            assert await ended(first) == (0, "")
            at.is_done()
            assert at.recorder.most_sessions == PLAN.connections

    asyncio.run(told())


@pytest.fixture
def heeding() -> Iterator[None]:
    """Whoever is started from here heeds Ctrl-C, also where the tests are a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding")
@pytest.mark.parametrize(
    ("number", "each"),
    [
        (signal.SIGTERM, False),
        pytest.param(signal.SIGINT, False, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, True, marks=pytest.mark.slow),
    ],
    ids=["SIGTERM", "Ctrl-C", "SIGTERM to each"],
)
def test_told_to_stop_all_drain_and_nothing_is_in_doubt(
    tmp_path: Path, number: int, *, each: bool
) -> None:
    async def told() -> None:
        async with scene(tmp_path) as at:
            first = await at.all_at_work()
            (other,) = children(first.pid)
            at.recorder.rate_limit = 0.02  # so that there is something left when they hear of it
            first.send_signal(number)
            await pause(0.1)
            if each:
                os.kill(other, number)
                await pause(0.1)
            at.listen()
            assert (await ended(first))[0] == STOPPED
            assert not is_alive(other)
            assert set(at.states) == {"pending", "accepted"}
            at.recorder.rate_limit = 0
            assert await at.run() == (0, "")
            at.is_done()

    asyncio.run(told())


@pytest.mark.slow
def test_when_the_first_is_killed_the_others_drain_by_themselves(tmp_path: Path) -> None:
    async def told() -> None:
        async with scene(tmp_path) as at:
            first = await at.all_at_work()
            (other,) = children(first.pid)
            at.recorder.rate_limit = (
                0.02  # so that there is something left when the other has noticed
            )
            first.kill()
            await pause(0.1)
            at.listen()
            await until(lambda: not is_alive(other))
            await ended(first)
            assert at.states["pending"]
            assert at.recorder.sessions == 0
            at.recorder.rate_limit = 0
            assert await at.run() == (0, "")
            at.is_done(doubts=PLAN.connections)

    asyncio.run(told())


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_what_another_leaves_behind_the_first_sends_at_once(tmp_path: Path, number: int) -> None:
    async def told() -> None:
        async with scene(tmp_path) as at:
            first = await at.all_at_work()
            (other,) = children(first.pid)
            os.kill(other, number)
            at.listen()
            assert await ended(first) == (0, "")
            at.is_done(doubts=PLAN.connections // 2 if number == signal.SIGKILL else 0)

    asyncio.run(told())


@pytest.mark.slow
def test_one_that_is_stopped_keeps_the_first_no_longer_than_its_leases(tmp_path: Path) -> None:
    async def told() -> None:
        async with scene(tmp_path) as at:
            first = await at.all_at_work()
            (other,) = children(first.pid)
            os.kill(other, signal.SIGSTOP)
            at.listen()
            await until(lambda: at.states["accepted"] > PLAN.letters // 4)
            assert is_alive(first.pid)
            step(tmp_path, MARK_OVER)
            assert await ended(first) == (0, "")
            assert not is_alive(other)
            at.is_done(doubts=PLAN.connections // 2)

    asyncio.run(told())


@pytest.mark.slow
def test_one_that_is_stopped_when_all_are_to_end_is_killed_in_the_end(tmp_path: Path) -> None:
    async def told() -> None:
        async with scene(tmp_path) as at:
            first = await at.all_at_work()
            (other,) = children(first.pid)
            os.kill(other, signal.SIGSTOP)
            first.terminate()
            at.listen()
            assert (await ended(first))[0] == STOPPED
            assert not is_alive(other)
            assert await at.run() == (0, "")
            at.is_done(doubts=PLAN.connections // 2)

    asyncio.run(told())


@pytest.mark.parametrize(
    "words", ["550 refused", pytest.param("550 5.7.1 not from you", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "from_the_first",
    [pytest.param(True, marks=pytest.mark.slow), False],
    ids=["always", "half way"],
)
@SIZES
def test_a_server_that_refuses_everybody_stops_all_and_blames_nobody(
    tmp_path: Path, words: str, plan: Plan, *, from_the_first: bool
) -> None:
    async def told() -> None:
        async with scene(tmp_path, plan=plan) as at:
            refused = list[str]()

            def refuse(recipient: str) -> str | None:
                if not from_the_first and len(at.recorder.taken) < FIRST:
                    return None
                refused.append(recipient)
                return words

            at.recorder.refuse = refuse
            if from_the_first:
                code, said = await at.run()
            else:
                first = await at.all_at_work()
                at.listen()
                code, said = await ended(first)
            assert code == STOPPED
            assert "it refused" in said
            assert "no reader is blamed" in said
            assert said.count("\n") == 1
            assert not set(at.states) - {"pending", "deferred", "accepted"}
            assert len(refused) < 100
            assert not at.in_doubt

    asyncio.run(told())


@pytest.mark.slow
@SIZES
def test_one_reader_in_a_hundred_refused_fails_alone(tmp_path: Path, plan: Plan) -> None:
    async def told() -> None:
        async with scene(tmp_path, plan=plan) as at:
            unknown = {f"reader{n}@example.org" for n in range(50, plan.letters, 100)}
            at.recorder.refuse = lambda one: "550 5.1.1 no such user" if one in unknown else None
            first = await at.all_at_work()
            at.listen()
            assert await ended(first) == (5, "")
            ledger = NEWSLETTER.ledger(at.store)
            assert {email for email, (state, _) in ledger.items() if state == "failed"} == unknown
            assert at.states["accepted"] == plan.letters - len(unknown)
            assert at.copies == {1: plan.letters - len(unknown)}
            assert not at.in_doubt

    asyncio.run(told())


@pytest.mark.slow
def test_where_the_server_has_room_for_one_alone_that_one_sends_all(tmp_path: Path) -> None:
    async def told() -> None:
        async with scene(tmp_path) as at:
            at.recorder.room = PLAN.connections // 2
            at.recorder.rate_limit = 0.003
            at.deaf.set()
            assert await at.run() == (0, "")
            at.is_done()
            assert at.recorder.most_sessions > at.recorder.room

    asyncio.run(told())


@pytest.mark.parametrize(
    "words",
    [(), pytest.param(("--to", "reader1@example.org"), marks=pytest.mark.slow)],
    ids=["small", "--to"],
)
def test_a_small_issue_and_a_few_readers_leave_from_one_process(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    async def told() -> None:
        plan = replace(PLAN, letters=60)
        async with scene(tmp_path, plan=plan) as at:
            at.recorder.attentive.clear()
            at.deaf.set()
            sending = NEWSLETTER.sending({"each": 1} if words else {})
            first = await at.started([*sending, *words])
            await until(lambda: at.recorder.sessions > 0)
            await pause(0.2)
            assert children(first.pid) == []
            at.listen()
            assert (await ended(first))[0] == 0

    asyncio.run(told())


@contextlib.asynccontextmanager
async def half_way(folder: Path) -> AsyncIterator[tuple[Scene, App]]:
    """A scene after its first run was stopped, and the newsletter it is of."""
    async with scene(folder) as at:
        first = await at.all_at_work()
        at.recorder.rate_limit = 0.02  # so that there is something left when it hears of its end
        first.terminate()
        await pause(0.1)
        at.listen()
        await ended(first)
        with open_app(Path(at.configuration)) as app:
            assert app.publisher.store.counts(TODAY).open > 4 * EACH["each"]
            yield at, app


@pytest.mark.slow
def test_what_another_cannot_read_or_write_ends_all(tmp_path: Path) -> None:
    async def told() -> None:
        async with half_way(tmp_path) as (_, app):
            elsewhere = f"sqlite:///{tmp_path}/nowhere/newsletter.db"
            lost = replace(app, settings=app.settings.model_copy(update={"store": elsewhere}))
            vars(lost).update(store=app.store, publisher=app.publisher)
            with lost.run_lock() as run_lock, pytest.raises(StoreError, match="there is no folder"):
                await publish(lost, TODAY, run_lock=run_lock, progress=quiet, each=EACH["each"])
            after = app.publisher.store.counts(TODAY)
            assert after.open
            assert (after.claimed, after.committing, after.unknown) == (0, 0, 0)

    asyncio.run(told())


@pytest.mark.slow
def test_where_there_is_no_room_for_another_process_the_first_sends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told() -> None:
        async with half_way(tmp_path) as (at, app):
            monkeypatch.setattr(sys, "executable", "/nowhere/python")
            with app.run_lock() as run_lock:
                await publish(app, TODAY, run_lock=run_lock, progress=quiet, each=EACH["each"])
            at.is_done()

    asyncio.run(told())


@pytest.mark.slow
def test_one_that_crashes_is_told_of_and_its_letters_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def told() -> None:
        async with half_way(tmp_path) as (_, app):
            monkeypatch.setattr(workers, "BEGIN", "raise SystemExit('this cannot be')")
            with (
                app.run_lock() as run_lock,
                pytest.raises(TryAgainError, match="ended with 1; what"),
            ):
                await publish(app, TODAY, run_lock=run_lock, progress=quiet, each=EACH["each"])
            after = app.publisher.store.counts(TODAY)
            assert (after.claimed, after.committing, after.unknown) == (0, 0, 0)

    asyncio.run(told())
    assert "this cannot be" in capfd.readouterr().err


@not_at_midnight
@pytest.mark.slow
def test_the_newsletter_that_stays_awake_sends_a_large_issue_so_too(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers(papers())) as origin:
        newsletter = Newsletter(tmp_path)
        smtp = {"host": "127.0.0.1", "port": inbox.port, "security": "none", "processes": 2}
        set_up(newsletter, origin, readers=PLAN.letters, smtp=smtp)
        words, environment = in_hand(EACH, "run"), {**os.environ, "PYTHONPATH": str(ROOT)}
        said, told = tmp_path / "said", f"{PLAN.letters} of {PLAN.letters} accepted"
        with (
            said.open("wb") as heard,
            subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=heard) as daemon,  # noqa: S603 - our own
        ):
            happened(lambda: bool(children(daemon.pid)))
            happened(lambda: len(inbox.arrivals) == PLAN.letters)
            happened(lambda: told in said.read_text(encoding="utf-8"))
            daemon.terminate()
            assert daemon.wait(PATIENCE) == 0
        assert newsletter.json("status")["state"] == "done"
    assert len({arrival.recipient for arrival in inbox.arrivals}) == PLAN.letters
    assert len(inbox.arrivals) == PLAN.letters


def quiet(_counts: Counts) -> None:
    """Tell nobody."""
