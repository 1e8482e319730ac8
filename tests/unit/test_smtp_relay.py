"""What replies say about a server's limits, and how fast letters leave after they have."""

from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.transports.smtp.pace import FIRST_WAIT, MAX_TRIES, Pace
from newsletter.transports.smtp.relay import KEPT, Limit, Relay, RelayFile, limit_in
from newsletter.transports.smtp.replies import refusal
from tests.support.factories import NOON


@pytest.mark.parametrize(
    ("reply", "limit"),
    [
        ("452 4.4.5 Maximum number of messages per session exceeded.", "session"),
        ("421 4.7.0 Too many messages in this connection", "session"),
        ("432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "connections"),
        ("421 4.7.0 Error: too many connections from 192.0.2.1", "connections"),
        ("421 Too many concurrent SMTP connections", "connections"),
        ("454 Throttling failure: Maximum sending rate exceeded.", "rate"),
        ("450 4.7.1 Error: too much mail from 192.0.2.1", "rate"),
        ("450 4.7.1 Error: too many recipients from 192.0.2.1", "many"),
        ("421 4.7.28 Our system has detected an unusual rate of mail", "rate"),
        ("550 5.1.90 you have reached your daily limit for message recipients", "day"),
        ("550 5.4.5 Daily user sending limit exceeded", "day"),
        ("454 4.7.0 Daily message quota exceeded", "day"),
        ("550 Domain example.org has exceeded the max emails per hour (500/500)", "hour"),
        ("550 5.4.6 sending quota exceeded", "hour"),
        ("451 4.3.0 Try again later", "unclear"),
        ("421 4.3.2 closing", "unclear"),
        ("450 4.2.0 Greylisted, try again in 300 seconds", None),
        ("450 4.2.1 The user you are trying to contact is receiving mail too quickly", None),
        ("452 4.2.2 mailbox full", None),
        ("450 4.1.1 recipient address rejected: unverified address", None),
        ("550 5.1.1 no such user", None),
        ("554 5.7.1 blocked: high complaint rate", None),
        ("250 2.0.0 taken", None),
        ("cut off", None),
    ],
)
def test_reply_names_its_limit(reply: str, limit: Limit | None) -> None:
    assert limit_in(reply) == limit


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("5.7.1 No such user!", "Refused"),
        ("5.1.1 no such user", "Refused"),
        ("5.7.1 looks like spam", "Deferred"),
        ("5.1.0 Sender address rejected", "Deferred"),
        ("5.1.1 too many recipients today", "Deferred"),
        ("5.2.1 blacklisted", "Deferred"),
        ("5.6.0 no", "Refused"),
    ],
)
def test_words_decide_whom_a_refusal_is_about(words: str, kind: str) -> None:
    assert type(refusal(550, words)).__name__ == kind


def meet_limit(pace: Pace, letters: int, opens_at: float) -> None:
    """Let so many letters leave at 0 s, refuse the next, and accept one once it is time."""
    for _ in range(letters + 1):
        pace.leave(0.0)
    pace.refuse(0.0)
    now = 0.0
    while (wait := pace.delay(now)) is not None and pace.is_paused:
        now += wait
        pace.leave(now)
        assert pace.delay(now) is None, "one letter is tried at a time"
        if now >= opens_at:
            pace.accept(now)
        else:
            pace.refuse(now)


def test_pace_is_what_passed_in_the_time_that_followed() -> None:
    pace = Pace()
    meet_limit(pace, 20, opens_at=60.0)
    assert pace.count == 20
    assert 60 <= pace.span <= 66


def test_pace_lets_no_more_leave_within_the_time() -> None:
    pace = Pace(3, 10.0)
    for now in (0.0, 1.0, 2.0):
        assert pace.delay(now) == 0
        pace.leave(now)
    assert pace.delay(4.0) == 6
    assert pace.delay(-3600.0) == 10, "no longer if the clock is set back"
    assert pace.delay(10.0) == 0


def test_waits_double_until_the_server_is_given_up() -> None:
    pace, now, waits = Pace(), 0.0, []
    for _ in range(MAX_TRIES):
        assert not pace.exhausted
        pace.leave(now)
        pace.refuse(now)
        waits.append(pace.delay(now))
        now += waits[-1] or 0.0
    assert pace.exhausted
    assert waits == [FIRST_WAIT * 2**n for n in range(8)] + [64.0] * (MAX_TRIES - 8)


def test_shorter_time_is_tried_and_taken_back() -> None:
    pace, now = Pace(1, 10.0, too_short=2.0), 0.0
    for _ in range(2):
        pace.leave(now)
        pace.accept(now)
        now += pace.span
    assert pace.span == 8.0
    pace.leave(now)
    pace.refuse(now)
    assert (pace.span, pace.too_short, pace.is_paused) == (10.0, 8.0, False)


def test_limits_count_less_each_day() -> None:
    relay = Relay(Pace(20, 60.0, 50.0), per_session=10, connections=3, changed=NOON)
    aged = relay.aged(NOON + timedelta(days=2))
    assert aged.pace.count == 20
    assert round(aged.pace.span, 1) == 38.4
    assert (aged.per_session, aged.connections) == (15, 5)
    forgotten = relay.aged(NOON + KEPT + timedelta(days=1))
    assert (forgotten.pace.count, forgotten.per_session) == (None, None)


def test_file_brings_back_what_was_learned(tmp_path: Path) -> None:
    relay = Relay(
        Pace(20, 60.0, 50.0),
        per_session=10,
        connections=3,
        rests_until=NOON + timedelta(hours=1),
        said="450 wait",
        changed=NOON,
    )
    RelayFile(tmp_path / "relay.json").save("relay:25", relay)
    RelayFile(tmp_path / "relay.json").save("other:25", Relay(changed=NOON))
    found = RelayFile(tmp_path / "relay.json").load("relay:25", NOON)
    assert (found.pace.count, found.pace.span, found.pace.too_short) == (20, 60.0, 50.0)
    assert (found.per_session, found.connections, found.said) == (10, 3, "450 wait")
    assert (found.rests_until, found.changed) == (relay.rests_until, NOON)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"relay:25": 3}', '{"relay:25": {"letters": "x"}}']
)
def test_unreadable_file_counts_as_missing(text: str, tmp_path: Path) -> None:
    file = tmp_path / "relay.json"
    file.write_text(text, encoding="utf-8")
    assert RelayFile(file).load("relay:25", NOON).pace.count is None


def test_limits_are_remembered_without_a_file(tmp_path: Path) -> None:
    for memory in (RelayFile(None), RelayFile(tmp_path / "missing" / "relay.json")):
        memory.save("relay:25", Relay(per_session=10, changed=NOON))
        assert memory.load("relay:25", NOON).per_session == 10


def test_fewer_letters_are_learned_if_others_use_the_limit() -> None:
    """Somebody else's letter takes a place in each window: one less fits, in the same time."""
    pace, now = Pace(20, 61.0, 60.0), 0.0
    for window in range(5):
        room = 19
        while pace.delay(now) == 0:
            pace.leave(now)
            if room:
                pace.accept(now)
            else:
                pace.refuse(now)
            room -= 1
        while pace.is_paused:
            now += pace.delay(now) or 0.0
            pace.leave(now)
            if now >= 61 * (window + 1):
                pace.accept(now)
            else:
                pace.refuse(now)
        now += pace.delay(now) or 0.0
    assert pace.count == 19
    assert pace.span < 130
