"""Limits of the SMTP transport: connections, rate, and when to stop."""

import asyncio

from newsletter.model import Accepted, Deferred, NotSent, Outcome, Refused, Unknown
from newsletter.transports.smtp.breaker import MAX_IN_A_ROW, MAX_IN_WINDOW, WINDOW, Breaker
from newsletter.transports.smtp.limits import GROWTH, ConnectionLimit, DomainLimit
from tests.support.outgoing import letter

TAKEN: Outcome = Accepted("250 taken")
REFUSED: Outcome = Refused("550 5.1.1 nobody")
UNCLEAR: Outcome = Refused("550 go away")


def fates(breaker: Breaker, *outcomes: Outcome) -> list[Outcome]:
    """What is settled after these outcomes, in this order."""
    return [fate for outcome in outcomes for _, fate in breaker.record(letter(), outcome)]


def test_refusals_wait_for_another_answer() -> None:
    breaker = Breaker()
    assert fates(breaker, REFUSED, REFUSED) == []
    assert fates(breaker, TAKEN) == [TAKEN, REFUSED, REFUSED]
    assert fates(breaker, REFUSED) == []
    assert [fate for _, fate in breaker.finish()] == [REFUSED]
    assert breaker.reason == ""


def test_final_refusals_fail_only_named_mailboxes() -> None:
    breaker = Breaker()
    fates(breaker, TAKEN, UNCLEAR, REFUSED)
    assert [fate for _, fate in breaker.finish()] == [Deferred("550 go away"), REFUSED]
    assert breaker.reason == ""


def test_server_refusing_all_of_several_refuses_us() -> None:
    breaker = Breaker()
    fates(breaker, REFUSED, UNCLEAR)
    assert [type(fate) for _, fate in breaker.finish()] == [Deferred, Deferred]
    assert breaker.reason == "it refused each of 2 emails, last: 550 go away"


def test_deferral_confirms_only_refusals_naming_mailboxes() -> None:
    breaker = Breaker()
    later = Deferred("451 later")
    assert fates(breaker, TAKEN, UNCLEAR, REFUSED, later) == [TAKEN, later, REFUSED]
    assert [fate for _, fate in breaker.finish()] == [Deferred("550 go away")]
    assert breaker.reason == ""


def test_missing_reply_is_no_answer() -> None:
    breaker = Breaker()
    ours = Refused("not sent: no address SMTP can carry")
    assert fates(breaker, UNCLEAR, ours) == [ours]
    assert [fate for _, fate in breaker.finish()] == [UNCLEAR]


def test_breaker_does_not_judge_a_single_letter() -> None:
    breaker = Breaker()
    fates(breaker, UNCLEAR)
    assert [fate for _, fate in breaker.finish()] == [UNCLEAR]
    assert breaker.reason == ""


def test_one_refusal_too_many_in_a_row_trips() -> None:
    breaker = Breaker()
    assert fates(breaker, *[REFUSED] * MAX_IN_A_ROW) == []
    policy = Deferred("554 5.7.1 blocked")
    assert fates(breaker, policy) == [Deferred("550 5.1.1 nobody")] * MAX_IN_A_ROW + [policy]
    assert breaker.reason == "it refused 21 emails in a row, last: 554 5.7.1 blocked"


def test_five_percent_refusals_are_tolerated() -> None:
    breaker = Breaker()
    borne: list[Outcome] = [TAKEN, REFUSED] * MAX_IN_WINDOW
    fates(breaker, *borne, *[TAKEN] * (WINDOW - 2 * MAX_IN_WINDOW))
    assert breaker.reason == ""
    fates(breaker, REFUSED, *[TAKEN] * WINDOW, *[TAKEN, REFUSED] * (MAX_IN_WINDOW + 1))
    assert breaker.reason.startswith("it refused 11 of the last 200 emails")


def test_broken_connection_is_no_refusal() -> None:
    breaker = Breaker()
    broken: list[Outcome] = [NotSent("cut off"), Unknown("no answer")]
    fates(breaker, *broken * WINDOW)
    assert breaker.reason == ""


async def open_all(limit: ConnectionLimit) -> int:
    """Open as many connections as are allowed, with an accepted letter after each."""
    opened = 0
    while limit.room:
        assert await limit.acquire()
        limit.opened()
        limit.record(TAKEN)
        opened += 1
    return opened


def test_connections_grow_with_accepted_letters() -> None:
    async def scenario() -> None:
        limit = ConnectionLimit(8)
        assert await limit.acquire()
        rooms = [limit.room]
        limit.opened()
        rooms.append(limit.room)
        limit.record(TAKEN)
        assert [*rooms, limit.room] == [0, 1, 2]
        assert await open_all(limit) == 7

    asyncio.run(scenario())


def test_broken_connection_lowers_the_limit_by_one() -> None:
    async def scenario() -> None:
        limit = ConnectionLimit(8)
        await open_all(limit)
        limit.record(NotSent("cut off"))
        assert [limit.retire(), limit.retire()] == [True, False]
        limit.release(worked=False)
        waiting = asyncio.ensure_future(limit.acquire())
        for _ in range(2 * GROWTH):
            assert not limit.room
            limit.record(TAKEN)
        assert await waiting
        limit.close()
        assert not await limit.acquire()

    asyncio.run(scenario())


def test_letter_that_meets_a_limit_closes_nothing() -> None:
    async def scenario() -> None:
        limit = ConnectionLimit(3)
        await open_all(limit)
        limit.record(NotSent("450 too fast", limited=True))
        assert not limit.retire()

    asyncio.run(scenario())


def test_one_connection_always_remains() -> None:
    async def scenario() -> None:
        limit = ConnectionLimit(2)
        for _ in range(5):
            limit.lower(0)
        assert await limit.acquire()

    asyncio.run(scenario())


def test_known_number_is_kept_to_at_first() -> None:
    async def scenario() -> None:
        assert await open_all(ConnectionLimit(8, known=3)) == 3

    asyncio.run(scenario())


def test_domain_limit_starts_with_first_4xx() -> None:
    domains, ada = DomainLimit(), letter("ada@Example.org")

    def room() -> int:
        entered = 0
        while entered < 50 and domains.allows(ada):
            domains.acquire(ada)
            entered += 1
        for _ in range(entered):
            domains.release(ada)
        return entered

    limits = [room()]
    for _ in range(4):
        domains.slow(ada, [])
        limits.append(room())
    assert limits == [50, 5, 2, 1, 1]
    domains.acquire(ada)
    assert domains.allows(letter("bob@example.net"))
    assert not domains.allows(ada)
