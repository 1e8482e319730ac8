"""The webhook of Mailjet.

https://dev.mailjet.com/email/guides/webhooks/
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
    "user unknown": "5.1.1",
    "mailbox inactive": "5.2.1",
    "preblocked": "5.1.1",
    "quota exceeded": "5.2.2",
    "invalid domain": "5.1.2",
    "no mail host": "5.1.2",
    "typofix": "5.1.2",
    "relay/access denied": "5.7.1",
    "sender blocked": "5.7.1",
    "content blocked": "5.7.1",
    "policy issue": "5.7.1",
}
"""The status that each of Mailjet's errors stands for; others say nothing of the reader."""


def mailjet_mails(fields: Fields) -> Iterator[ParsedMail]:
    """What an event of Mailjet means."""
    kind, email, at = (text_of(fields.get(name)) for name in ("event", "email", "time"))
    letter = text_of(fields.get("Message_GUID")) or text_of(fields.get("MessageID"))
    event = Event("mailjet", f"{kind} {letter} {email} {at}", email, time_of(at))
    match kind:
        case "bounce" | "blocked":
            error, said = text_of(fields.get("error")), text_of(fields.get("comment"))
            passes = kind == "bounce" and fields.get("hard_bounce") is False
            otherwise = "4.0.0" if passes else _STATUS.get(error, "5.0.0")
            yield event.bounced(said, otherwise=otherwise, kind=error)
        case "spam":
            yield event.means("complaint", f"{text_of(fields.get('source')) or 'abuse'} (Mailjet)")
        case "unsub":
            yield event.means("unsubscribe", "Mailjet's link")
