"""The webhook of Brevo.

https://developers.brevo.com/docs/transactional-webhooks
"""

from collections.abc import Iterator

from newsletter.bounces.parsing import ParsedMail
from newsletter.bounces.webhooks.events import (
    Event,
    Fields,
    text_of,
    time_of,
)

_STATUS = {
    "hard_bounce": "5.1.1",
    "invalid_email": "5.1.3",
    "soft_bounce": "4.0.0",
    "deferred": "4.0.0",
    "blocked": "5.7.1",
    "error": "5.0.0",
}
"""The status that each kind of event stands for."""

_MILLISECONDS = 10**11  # seconds since 1970 stay below this until the year 5138


def brevo_mails(fields: Fields) -> Iterator[ParsedMail]:
    """What an event of Brevo means."""
    kind, email = text_of(fields.get("event")), text_of(fields.get("email"))
    letter_id = text_of(fields.get("message-id"))
    at = _epoch(fields)
    # Brevo gives its events no ids: ``id`` names the webhook or the account.
    event = Event(
        service="brevo",
        id=f"{kind} {letter_id} {email} {at}",
        email=email,
        at=time_of(at),
        letter_id=letter_id,
    )
    reason = text_of(fields.get("reason"))
    if kind in _STATUS:
        yield event.bounced(reason, otherwise=_STATUS[kind], kind=kind)
    elif kind in {"spam", "complaint"}:
        yield event.means("complaint", "abuse (Brevo)")
    elif kind in {"unsubscribed", "unsubscribe"}:
        yield event.means("unsubscribe", "Brevo's link")


def _epoch(fields: Fields) -> str:
    """When it happened, in seconds since 1970; ``ts_epoch`` has milliseconds."""
    given = next((fields[name] for name in ("ts_epoch", "ts_event", "ts") if fields.get(name)), "")
    if isinstance(given, int | float) and not isinstance(given, bool) and given > _MILLISECONDS:
        return text_of(given / 1000)
    return text_of(given)
