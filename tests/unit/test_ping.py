"""Pings to a service that watches cron jobs: in their order, tried again, and in nobody's way."""

from datetime import timedelta

import pytest

from newsletter.app import ping
from newsletter.app.ping import PATIENCE, DailyPings, Pings
from newsletter.model import Accepted, Refused
from newsletter.ports import Store
from newsletter.publisher.operator_events import Verdict, judge
from newsletter.readers.due import DefaultSchedule
from newsletter.sources import Client
from tests.support.clocks import ManualClock
from tests.support.databases import temporary_store
from tests.support.factories import DAY, NOON
from tests.support.frozen_issues import claim, freeze_one_issue, mark, settle
from tests.support.logs import log_lines
from tests.support.ping_servers import CHECK, PingServer, ping_server

GOOD, BAD = Verdict(is_good=True, words="2 of 2 accepted"), Verdict(is_good=False, words="no relay")


def pings_to(address: str | None) -> Pings:
    client = Client(contact="editor@example.org", clock=ManualClock())
    return Pings(address, lambda: client.session(allow_private=True), ManualClock())


def test_start_and_end_are_told_in_order() -> None:
    with ping_server() as server, pings_to(server.url) as pings:
        pings.start()
        pings.tell(BAD)
        pings.start()
        pings.tell(GOOD)
        pings.close(PATIENCE)
        assert server.came == [
            ("/start", ""), ("/fail", "no relay"), ("/start", ""), ("", "2 of 2 accepted")
        ]  # fmt: skip


def test_exception_is_told_as_a_failure() -> None:
    with ping_server() as server:
        pings = pings_to(server.url)
        pings.start()
        with pytest.raises(ZeroDivisionError), pings:
            raise ZeroDivisionError("by nothing")
        assert server.came[-1] == ("/fail", "unexpected ZeroDivisionError: by nothing")


@pytest.mark.parametrize(
    ("answers", "tries", "said"),
    [
        ((500, 503), 3, ""),
        ((500, 500, 500), 3, "status 500"),
        ((0, 0, 0), 3, "no answer within"),
        ((404,), 1, "status 404"),
        ((302,), 1, "it redirects"),
    ],
)
def test_failing_ping_is_tried_again(
    answers: tuple[int, ...], tries: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping, "TIMEOUT", 0.2)
    with log_lines() as logged, ping_server(*answers) as server:
        with pings_to(server.url) as pings:
            pings.tell(GOOD)
        assert server.ends == [""] * tries
    assert len(logged) == bool(said)
    assert said in "".join(logged)
    assert CHECK not in "".join(logged), "the address is a secret"


def test_absent_service_is_only_logged() -> None:
    with log_lines() as logged, pings_to(f"http://127.0.0.1:1{CHECK}") as pings:
        pings.start()
        pings.close(PATIENCE)
    assert "127.0.0.1 did not take the start" in logged[0]
    assert CHECK not in "".join(logged)


def daily(server: PingServer, clock: ManualClock, store: Store) -> tuple[DailyPings, Pings]:
    pings = pings_to(server.url)
    return DailyPings(pings, store, DefaultSchedule("12:00", "UTC", "weekdays"), clock), pings


def test_day_without_issue_is_told_as_good() -> None:
    clock = ManualClock(NOON - timedelta(minutes=1))
    with ping_server() as server:
        day, pings = daily(server, clock, temporary_store())
        for _ in range(4):
            day.begin()
            day.frozen("")
            day.look({})
            clock.time += timedelta(minutes=1)
        pings.close(PATIENCE)
        assert server.came == [("/start", ""), ("", f"{DAY}: no issue was due")]


def test_paused_day_fails_until_it_is_sent() -> None:
    store, clock = temporary_store(), ManualClock()
    freeze_one_issue(store, "ada", "bob")
    with ping_server() as server:
        day, pings = daily(server, clock, store)
        day.begin()
        day.frozen("")
        for _ in range(2):
            day.look({DAY: "the relay is away"})
        letters = claim(store)
        mark(store, *letters)
        settle(store, *letters, outcome=Accepted("250 ok"))
        store.close_issue(DAY)
        day.look({DAY: "the relay is away"})
        pings.close(PATIENCE)
        assert server.ends == ["/start", "/fail", ""]
        assert server.came[1][1] == "the relay is away"


@pytest.mark.parametrize(("refused", "is_good"), [(1, True), (2, False)])
def test_single_refusals_are_no_failure_of_the_day(refused: int, *, is_good: bool) -> None:
    store = temporary_store()
    freeze_one_issue(store, "ada", "bob", "cleo")
    assert judge(store, DAY) is None, "nothing is sent yet"
    for number, letter in enumerate(claim(store)):
        mark(store, letter)
        answer = Refused("550 no") if number < refused else Accepted("250 ok")
        settle(store, letter, outcome=answer)
    store.close_issue(DAY)
    verdict = judge(store, DAY)
    assert verdict is not None
    assert verdict.is_good is is_good
    assert "@" not in verdict.words
