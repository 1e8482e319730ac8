"""How a reader is described to the operator: as JSON, and in lines."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

from newsletter.config.subscribers import to_entry
from newsletter.model import Subscriber
from newsletter.readers.operating import STATUS_WORDS, ReaderDescription


def description_document(found: ReaderDescription) -> dict[str, Any]:
    """A reader as JSON; instants are in UTC."""
    reader, due = found.reader, found.next_letter
    return {
        "reader": to_entry(reader.subscriber),
        "status": reader.status,
        "origin": reader.origin,
        "why_blocked": found.why_blocked,
        "fault": reader.fault or reader.fallback,
        "consents": [
            {"at": each.at.isoformat(), "how": each.how, "to": each.text} for each in found.consents
        ],
        "letters": [
            {
                "day": each.day.isoformat(),
                "state": each.state,
                "attempts": each.attempts,
                "reply": each.reply,
            }
            for each in found.letters
        ],
        "next": due and {"day": due.day.isoformat(), "at": due.instant.isoformat()},
        "acts": [
            {
                "at": act.at.isoformat(timespec="seconds"),
                "who": act.who,
                "what": act.what,
                "detail": act.detail,
            }
            for act in found.acts
        ],
    }


def description_lines(found: ReaderDescription, zone: tzinfo) -> Iterator[str]:
    """A reader in lines; instants are in the reader's time zone."""
    reader, due = found.reader, found.next_letter
    yield f"{reader.subscriber.email} {STATUS_WORDS[reader.status]}"
    if found.why_blocked:
        yield f"blocked: {found.why_blocked}"
    if reader.fault or reader.fallback:
        yield f"fault: {reader.fault or reader.fallback}"
    yield f"from: {'the readers file' if reader.origin == 'file' else 'the store'}"
    yield from choice_lines(reader.subscriber)
    for each in found.consents:
        yield f"agreed {each.at.astimezone(zone):%Y-%m-%d %H:%M}: {each.how}"
    if due is not None:
        yield f"next email: {due.instant.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"
    else:
        yield "next email: none"
    for letter in found.letters:
        yield ", ".join(filter(None, (f"{letter.day}: {letter.state}", letter.reply)))
    for act in found.acts:
        detail = f" ({act.detail})" if act.detail else ""
        yield f"{act.at.astimezone(zone):%Y-%m-%d %H:%M} {act.who}: {act.what}{detail}"


def choice_lines(subscriber: Subscriber) -> Iterator[str]:
    """What a reader chose, a setting a line; defaults are left out."""
    for name, value in to_entry(subscriber).items():
        if name != "email":
            yield f"{name}: {', '.join(value) if isinstance(value, list) else value}"
