"""Rule: what only the operator can decide, about an issue or a letter nobody knows the fate of."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from newsletter.errors import UsageError
from newsletter.model import IssueState, allowing
from newsletter.ports import Issues

_BY_OPERATOR = "by the operator"


def cancel(store: Issues, day: date) -> None:
    """Let no further letter of this issue leave, not even of one that is not frozen yet.

    The papers of the letters that have not left are owed to the next issue.

    Raises:
        UsageError: the issue is closed already.
    """
    among = (*allowing("cancel"), None)
    if not store.set_issue_state(day, "cancelled", reason=_BY_OPERATOR, from_states=among):
        raise UsageError(f"the issue of {day} is done; there is nothing left to cancel")


def hold(store: Issues, day: date, *, reason: str) -> bool:
    """Let no further letter of this issue leave until it is released; whether that changed it."""
    return store.set_issue_state(day, "held", reason=reason, from_states=(*allowing("hold"), None))


def release(store: Issues, day: date) -> None:
    """Let the letters of a held issue leave.

    Raises:
        UsageError: it is not held. What was cancelled stays so: the next issue has its papers.
    """
    state: IssueState = "frozen" if store.waves(day) else "skipped"
    if not store.set_issue_state(
        day, state, reason="released " + _BY_OPERATOR, from_states=allowing("release")
    ):
        found = store.issue_state(day)
        raise UsageError(
            f"the issue of {day} is not held"
            + (f": it is {found[0]}" if found else "; there is none")
        )


def resolve(
    store: Issues, day: date, emails: Collection[str], *, arrived: bool, now: datetime
) -> Sequence[str]:
    """End the doubt about held letters by what the operator found out; whose they were.

    Args:
        store: where they are held.
        day: the issue's date.
        emails: the readers; all whose letter is held where it is empty.
        arrived: whether the letters arrived. The papers of those that did not are owed.
        now: when it was decided.

    Raises:
        UsageError: one of them has no held letter.
    """
    held = {row.email for row in store.deliveries(day, states={"held"})}
    for email in emails:
        if email not in held:
            raise UsageError(f"no letter of {day} to {email} is held; `newsletter audit {day}`")
    return sorted(store.resolve(day, emails or held, arrived=arrived, now=now))
