"""An issue goes to the operator's own addresses first."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.model import Delivery, IssueSize, Subscriber
from newsletter.publisher.canary import Canary, find_turn, what_is_unusual, what_is_wrong
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import cancel, release
from tests.support.clocks import ManualClock
from tests.support.databases import temporary_store
from tests.support.factories import DAY, NOON
from tests.support.publishers import StubSource, publisher_over
from tests.unit.test_publisher import join, listed, recipients, send

EDITOR, ADA = "editor@example.org", "ada@example.org"
WAIT = timedelta(minutes=30)


def first_to(*addresses: str, wait: timedelta | None = WAIT) -> Publisher:
    """A newsletter with two readers and papers of today."""
    publisher = publisher_over(temporary_store(), clock=ManualClock())
    join(publisher, Subscriber(EDITOR, cadence="weekly"), Subscriber(ADA))
    listed(publisher, StubSource("One", "Two"))
    return replace(publisher, canary=Canary(addresses, wait))


def later(publisher: Publisher, time: timedelta) -> None:
    asyncio.run(publisher.clock.sleep(time.total_seconds()))


@pytest.mark.slow
def test_others_follow_after_the_time() -> None:
    publisher = first_to(EDITOR)
    assert recipients(send(publisher)) == [EDITOR], "whatever the day of the week"
    assert recipients(send(publisher)) == []
    later(publisher, WAIT)
    assert recipients(send(publisher)) == [ADA]
    assert publisher.store.counts(DAY).open == 0


def test_release_lets_the_others_follow_at_once() -> None:
    publisher = first_to(EDITOR)
    send(publisher)
    release(publisher.store, DAY, publisher.canary)
    assert recipients(send(publisher)) == [ADA]


def test_approval_is_awaited_as_a_held_issue() -> None:
    publisher = first_to(EDITOR, wait=None)
    assert recipients(send(publisher)) == [EDITOR]
    later(publisher, timedelta(hours=5))
    assert recipients(send(publisher)) == []
    found = publisher.store.issue_state(DAY)
    assert found == ("held", "the first emails have left; it waits for your approval")
    release(publisher.store, DAY, publisher.canary)
    assert recipients(send(publisher)) == [ADA]


def test_cancelled_issue_reaches_only_the_first() -> None:
    publisher = first_to(EDITOR)
    send(publisher)
    cancel(publisher.store, DAY)
    later(publisher, WAIT)
    assert recipients(send(publisher)) == []


def test_without_a_first_reader_the_issue_is_held() -> None:
    publisher = first_to("nobody@example.org")
    assert recipients(send(publisher)) == []
    assert publisher.store.issue_state(DAY) == (
        "held",
        "none of the addresses of `issue.canary` is a reader who gets emails",
    )


def test_first_reader_who_left_holds_the_issue() -> None:
    publisher = first_to(EDITOR)
    send(publisher)
    publisher.store.set_status(EDITOR, "blocked", now=NOON)
    turn = find_turn(publisher.store, publisher.canary, DAY, publisher.clock.now())
    assert turn.hold.startswith("none of the addresses")


def test_failed_first_email_is_named() -> None:
    row = Delivery(DAY, EDITOR, "failed", 1, "550 5.7.1 spam", None)
    assert what_is_wrong([row]) == "the first email failed, to editor@example.org: 550 5.7.1 spam"


USUAL = IssueSize(DAY, NOON, papers=200, letter_size=200_000, planned=1000, empty=100)


@pytest.mark.parametrize(
    ("issue", "why"),
    [
        (USUAL, ""),
        (replace(USUAL, papers=60), ""),
        (replace(USUAL, papers=40), "40 papers, where the last issues had 200 to 200"),
        (replace(USUAL, papers=900), "900 papers, where the last issues had 200 to 200"),
        (replace(USUAL, empty=850), "15% of the readers get papers, where it was 90% at least"),
        (replace(USUAL, planned=10, empty=10), ""),
        (
            replace(USUAL, letter_size=30_000),
            "150 compressed bytes for a paper, where it was 1,000 to 1,000",
        ),
        (replace(USUAL, letter_size=0), ""),
    ],
)
def test_unusual_issues_are_named(issue: IssueSize, why: str) -> None:
    assert what_is_unusual(issue, [USUAL] * 8) == why
    assert what_is_unusual(issue, [USUAL] * 7) == "", "too few to compare with"


def test_few_papers_more_or_less_are_usual() -> None:
    usual = replace(USUAL, papers=6, letter_size=6_000)
    assert what_is_unusual(replace(usual, papers=1, letter_size=1_000), [usual] * 8) == ""


@pytest.mark.slow
def test_unusual_issue_is_held_after_the_first_emails() -> None:
    publisher = publisher_over(temporary_store())
    join(publisher, Subscriber(EDITOR), Subscriber(ADA))
    for n in range(8):
        day = DAY + timedelta(days=n)
        listed(publisher, StubSource(*(f"Paper {n} {m}" for m in range(30))), day=day)
        send(publisher, day)
        later(publisher, timedelta(days=1))
    day = DAY + timedelta(days=8)
    listed(publisher, StubSource("One", "Two"), day=day)
    publisher = replace(publisher, canary=Canary((EDITOR,), WAIT))
    assert recipients(send(publisher, day)) == [EDITOR]
    later(publisher, WAIT)
    assert recipients(send(publisher, day)) == []
    found = publisher.store.issue_state(day)
    assert found == ("held", "2 papers, where the last issues had 30 to 30")
    release(publisher.store, day, publisher.canary)
    assert recipients(send(publisher, day)) == [ADA]
