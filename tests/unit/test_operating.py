"""What an operator does about one reader."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter.errors import UsageError
from newsletter.letter.links import Keyring
from newsletter.model import Consent, Filter, OperatorAct, Publication, Reader, Status
from newsletter.publisher.publishing import cancel
from newsletter.readers.due import DefaultSchedule, Due
from newsletter.readers.erasing import is_erased
from newsletter.readers.operating import COMMAND_LINE, OperatorService
from newsletter.readers.service import Note, ReaderService
from tests.support.databases import temporary_store
from tests.support.factories import NOON, subscriber

KEYS = Keyring(("a key of many letters",), "n@example.org")
SITE = Publication("N", "N", "n@example.org", url="https://n.example.org/")


class Desk:
    """An operator's service over a store with one reader, Ada."""

    def __init__(self) -> None:
        self.store = temporary_store()
        schedule = DefaultSchedule("07:00", "Europe/Zurich", "weekdays")
        service = ReaderService(SITE, self.store, KEYS)
        self.service = OperatorService(service, self.store, schedule, COMMAND_LINE)
        self.sent: list[object] = []

    def ada(self, status: Status = "confirmed", **wants: object) -> Reader:
        saved = subscriber("ada@example.org", **wants)
        return self.store.save_reader(saved, status=status, now=NOON)

    def acts(self, reader: Reader | None = None) -> list[tuple[str, str]]:
        number = None if reader is None else reader.id
        found = self.store.operator_acts(limit=9, reader=number)
        return [(act.what, act.detail) for act in found]


@pytest.fixture
def desk() -> Desk:
    return Desk()


ACTS: dict[str, tuple[Status, Callable[[Desk, Reader], object], Status]] = {
    "unsubscribed": ("confirmed", lambda d, r: d.service.unsubscribe(r, NOON), "unsubscribed"),
    "blocked": ("confirmed", lambda d, r: d.service.block(r, NOON), "blocked"),
    "unblocked": ("blocked", lambda d, r: d.service.unblock(r, NOON), "confirmed"),
    "approved": ("waiting", lambda d, r: d.service.approve(r, NOON, d.sent.append), "confirmed"),
    "declined": ("waiting", lambda d, r: d.service.decline(r, NOON), "unsubscribed"),
    "erased": ("confirmed", lambda d, r: d.service.erase(r, NOON), "unsubscribed"),
    "paused": (
        "confirmed",
        lambda d, r: d.service.pause(r, date(2026, 8, 9), NOON),
        "confirmed",
    ),
    "sent the confirmation again": (
        "unconfirmed",
        lambda d, r: d.service.resend_confirmation(r, d.sent.append, NOON),
        "unconfirmed",
    ),
}


@pytest.mark.parametrize("what", ACTS)
def test_each_act_changes_the_status_and_is_recorded(desk: Desk, what: str) -> None:
    before, act, after = ACTS[what]
    reader = desk.ada(before)
    act(desk, reader)
    (now,) = desk.store.readers()
    (recorded,) = desk.store.operator_acts(limit=9, reader=reader.id)
    assert (now.status, recorded.what, recorded.who) == (after, what, COMMAND_LINE)


@pytest.mark.parametrize("what", ["blocked", "approved", "declined", "sent the confirmation again"])
def test_a_reader_who_left_stays_away(desk: Desk, what: str) -> None:
    reader = desk.ada("unsubscribed")
    with pytest.raises(UsageError, match="has unsubscribed"):
        ACTS[what][1](desk, reader)
    assert (desk.store.readers()[0].status, desk.acts()) == ("unsubscribed", [])


def test_approval_sends_the_first_letter_once(desk: Desk) -> None:
    reader = desk.ada("waiting")
    desk.service.approve(reader, NOON, desk.sent.append)
    assert desk.sent == [desk.store.reader_by_id(reader.id)]


def test_asking_again_sends_the_link_to_confirm(desk: Desk) -> None:
    desk.service.resend_confirmation(desk.ada("unconfirmed"), desk.sent.append, NOON)
    (note,) = desk.sent
    assert isinstance(note, Note)
    assert (note.kind, "/confirm/" in note.link) == ("confirm", True)


def test_setting_choices_says_what_changed(desk: Desk) -> None:
    reader = desk.ada(day=2, filter=Filter(topics=("Vision",)))
    wanted = subscriber("other@example.org", at="08:00", filter=Filter(topics=("Vision", "Maths")))
    changed = desk.service.set_choices(reader, wanted, NOON)
    assert (changed.subscriber.email, changed.subscriber.at) == ("ada@example.org", "08:00")
    said = "topics: Vision → Vision, Maths; day: Wednesday → Monday; at: not set → 08:00"
    assert desk.acts(reader) == [("changed choices", said)]
    assert desk.service.set_choices(changed, changed.subscriber, NOON) == changed
    assert len(desk.acts()) == 1


def test_pause_of_the_operator_ends(desk: Desk) -> None:
    paused = desk.service.pause(desk.ada(cadence="weekly"), date(2026, 8, 9), NOON)
    resumed = desk.service.resume(paused, NOON)
    assert resumed.subscriber == subscriber(cadence="weekly")
    assert [what for what, _ in desk.acts()] == ["resumed", "paused"]
    with pytest.raises(UsageError, match="has not paused"):
        desk.service.resume(resumed, NOON)
    with pytest.raises(UsageError, match="begun already"):
        desk.service.pause(resumed, NOON.date(), NOON)


def test_erasing_empties_the_details_of_acts(desk: Desk) -> None:
    reader = desk.ada()
    desk.service.record(NOON, "changed choices", reader, "name: Ada → Ada King")
    desk.service.erase(reader, NOON)
    assert desk.acts() == [("erased", ""), ("changed choices", "")]
    assert is_erased(desk.store.readers()[0])
    with pytest.raises(UsageError, match="no reader has"):
        desk.service.find("ada@example.org")


def test_forgotten_readers_take_their_acts_along(desk: Desk) -> None:
    reader = desk.ada("unconfirmed")
    desk.service.resend_confirmation(reader, desk.sent.append, NOON)
    desk.store.forget_unconfirmed(before=NOON + timedelta(days=1))
    assert (desk.store.readers(), desk.acts()) == ((), [])


def test_a_description_has_status_consent_and_acts(desk: Desk) -> None:
    reader = desk.ada("unconfirmed")
    consent = Consent(NOON, "by the link", "I want it")
    desk.store.record_consent(reader.id, consent)
    desk.service.block(desk.service.find("ADA@example.org"), NOON, "asked for by phone")
    found = desk.service.describe(desk.service.find("ada@example.org"), NOON)
    assert (found.reader.status, found.why_blocked) == ("blocked", "blocked by the operator")
    assert (found.consents, found.letters, found.next_letter) == ((consent,), (), None)
    assert found.acts == (
        OperatorAct(NOON, COMMAND_LINE, "blocked", reader.id, "asked for by phone"),
    )


def zurich(day: int, hour: int, month: int = 8) -> datetime:
    """An instant by the clocks of Zurich in the summer of 2026, in UTC."""
    return datetime(2026, month, day, hour - 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wants", "day", "instant"),
    [
        ({}, date(2026, 8, 4), zurich(4, 7)),
        ({"at": "23:00"}, date(2026, 8, 3), zurich(3, 23)),
        ({"cadence": "weekly", "day": 1}, date(2026, 8, 4), zurich(4, 7)),
        ({"cadence": "weekly", "day": 6}, date(2026, 8, 9), zurich(9, 7)),
        ({"paused_until": date(2026, 9, 19)}, date(2026, 9, 21), zurich(21, 7, 9)),
    ],
)
def test_next_letter_is_what_the_scheduler_will_do(
    desk: Desk, wants: dict[str, object], day: date, instant: datetime
) -> None:
    """The newest date that is due now comes first: here none, the day's issue is planned."""
    reader = desk.ada("confirmed", **wants)
    late = NOON + timedelta(hours=12)
    now = late if "at" not in wants else NOON
    found = desk.service.next_letter(reader, now)
    assert found == Due(day, instant, [reader.id])


def test_issue_that_is_due_now_is_the_next(desk: Desk) -> None:
    reader = desk.ada()
    assert desk.service.next_letter(reader, zurich(3, 9)) == Due(
        date(2026, 8, 3), zurich(3, 7), [reader.id]
    )


def test_cancelled_issue_is_not_the_next(desk: Desk) -> None:
    cancel(desk.service.store, date(2026, 8, 3))
    assert desk.service.next_letter(desk.ada(), zurich(3, 9)) == Due(
        date(2026, 8, 4), zurich(4, 7), [desk.ada().id]
    )


@pytest.mark.parametrize("until", [date.min, date.max])
def test_pause_at_an_end_of_the_calendar_is_no_error(desk: Desk, until: date) -> None:
    reader = desk.ada("confirmed", paused_until=until, timezone="Pacific/Pago_Pago")
    found = desk.service.next_letter(reader, NOON)
    assert (found is None) == (until == date.max)
    with pytest.raises(UsageError, match="has begun already"):
        desk.service.pause(reader, date.min, NOON)


def test_choice_made_meanwhile_is_not_overwritten(desk: Desk) -> None:
    seen = desk.ada("confirmed", at="07:30")
    desk.ada("confirmed", at="09:00")
    with pytest.raises(UsageError, match="look again"):
        desk.service.set_choices(seen, replace(seen.subscriber, at=None), NOON)
    assert desk.service.find("ada@example.org").subscriber.at == "09:00"
    assert desk.acts() == []
