"""Readers, as the API has them; what it does to them is what the operator may do."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from json import dumps
from math import ceil
from typing import Any, get_args

from starlette.responses import JSONResponse, Response

from newsletter.config.fields import address
from newsletter.config.loading import validate
from newsletter.config.subscribers import HISTORY_FIELDS, plain_values, subscriber_from_entry
from newsletter.config.yaml_file import Document
from newsletter.errors import InvalidFileError, UsageError
from newsletter.model import LEFT, SUBSCRIBER_FIELDS, Consent, Reader, Status, Subscriber
from newsletter.papers.topics import names_to_choose
from newsletter.readers.erasing import is_erased
from newsletter.readers.operating import OperatorService
from newsletter.readers.service import keep_fields
from newsletter.web.api.calls import ApiError, Call, Entry, FieldProblem, mistakes, too_many
from newsletter.web.api.documents import GivenConsent, Pause
from newsletter.web.forms import number_of

READERS, MOST_READERS = 50, 200
MAX_QUERY = 200  # characters of a search

FIRST_CONSENT = datetime(1990, 1, 1, tzinfo=UTC)  # what is before is a mistake in a program

_IN_LIST = 2  # steps to an entry of a list of readers: `subscribers.0`


def list_readers(call: Call) -> Response:
    """Readers by part of address or name, by address or by status, newest first."""
    limit, before = call.limit(MOST_READERS, READERS), call.parameter("before")
    status, last = _status(call.parameter("status")), number_of(before)
    if before and last is None:
        raise ApiError(422, "before: write a number, as `next` has it.")
    store, email = call.context.publisher.store, call.parameter("email")
    if email:
        known = store.reader_by_email(_address(email))
        found = [known] if known and not is_erased(known) and status in {None, known.status} else []
    else:
        words = call.parameter("q")[:MAX_QUERY]
        found = [*store.search_readers(words, status=status, before=last, limit=limit + 1)]
    following = found[limit - 1].id if len(found) > limit else None
    return call.page([_document(reader) for reader in found[:limit]], following, "before")


def _status(text: str) -> Status | None:
    for status in get_args(Status):
        if status == text:
            return status  # type: ignore[no-any-return]
    if text:
        raise ApiError(422, f"status: write one of {', '.join(get_args(Status))}.")
    return None


def _address(text: str) -> str:
    try:
        return address(text)
    except ValueError as error:
        raise ApiError(422, f"email: {error}.") from error


def subscribe(call: Call) -> Response:
    """Ask an address to confirm; with a consent given elsewhere, subscribe it at once."""
    entry = call.entry()
    consent = _consent(call, entry.pop("consent", None))
    wanted = _subscriber(call, entry)
    if consent is None:
        _ask_to_confirm(call, wanted)
        return JSONResponse({"email": wanted.email}, 202)
    reader, is_new = _operator(call).subscribe(
        wanted, consent, call.context.now, call.context.welcome
    )
    return _shown(call, reader, 201 if is_new else 200)


def _ask_to_confirm(call: Call, wanted: Subscriber) -> None:
    """Send the note that asks; whether the address is known makes no difference to the answer.

    Raises:
        ApiError: addresses like this may not join (422), or too many were asked (429).
    """
    service, now = call.context.reader_service, call.context.now
    if not service.joining.may_join(wanted.email):
        raise ApiError(422, "email: addresses of this domain cannot be subscribed.")
    # A program speaks for many people, so that it is not one client for the limits.
    if busy := service.count_sign_up(f"api:{call.token.name}:{wanted.email}", now):
        seconds = ceil((busy.until - now).total_seconds())
        raise too_many("Too many confirmations were asked for in this hour.", max(1, seconds))
    call.context.mail_queue.add(lambda send: service.subscribe(wanted, None, send, now))


def _consent(call: Call, given: Any) -> Consent | None:  # noqa: ANN401 - any JSON
    if given is None:
        return None
    if not call.token.allows("readers:consent"):
        raise ApiError(403, f"The token {call.token.name} lacks the scope readers:consent.")
    try:
        consent = validate(GivenConsent, Document("", given, {}))
    except InvalidFileError as error:
        raise mistakes(error, 0, "/consent") from error
    if not FIRST_CONSENT <= consent.at <= call.context.now:
        wrong = "this is in the future, or before there were newsletters"
        raise ApiError(422, f"consent.at: {wrong}.", [FieldProblem(wrong, "#/consent/at")])
    return Consent(consent.at, consent.how, consent.text)


def _subscriber(call: Call, entry: Entry, chosen: Sequence[str] = ()) -> Subscriber:
    """The subscriber that an entry describes, checked like one of the readers' file.

    ``chosen`` are topics that the reader has already: lost ones among them may stay.
    """
    foreign = [name for name in HISTORY_FIELDS if name in entry]
    if foreign:
        errors = [FieldProblem("this cannot be set here", f"#/{name}") for name in foreign]
        raise ApiError(422, f"{', '.join(foreign)}: cannot be set here.", errors)
    try:
        names = names_to_choose(chosen, call.context.known_topics)
        return subscriber_from_entry(entry, names, call.context.publisher.matcher)
    except InvalidFileError as error:
        raise mistakes(error, _IN_LIST) from error


def show(call: Call) -> Response:
    """A reader with everything that helps to answer their question."""
    return _shown(call, _reader(call))


def change(call: Call) -> Response:
    """Change the choices that are named, if the reader is as the program has seen them."""
    reader, entry = _reader(call), call.entry()
    _check_version(call, reader)
    if "email" in entry:
        own = FieldProblem("only the reader can change the address", "#/email")
        raise ApiError(422, "Only the reader can change the address.", [own])
    before = reader.subscriber
    wanted = _subscriber(call, {**entry, "email": before.email}, before.filter.topics)
    unnamed = [name for name in SUBSCRIBER_FIELDS if name not in entry]
    merged = keep_fields(before, wanted, unnamed)
    try:
        changed = _operator(call).set_choices(reader, merged, call.context.now)
    except UsageError as error:  # in the moment since the version was compared
        raise ApiError(412, f"{error}.") from error
    return _shown(call, changed)


def _check_version(call: Call, reader: Reader) -> None:
    """Refuse a change of what has changed since the program saw it (RFC 9110, 13.1.1)."""
    given = call.request.headers.get("if-match", "")
    if not given:
        raise ApiError(428, "Send If-Match with the ETag of the reader as you have seen them.")
    tags = {tag.strip() for tag in given.split(",")}
    if tags.isdisjoint({"*", version_of(reader)}):
        raise ApiError(412, "The reader has changed since. Get them again, then decide.")


def version_of(reader: Reader) -> str:
    """The ETag of a reader: it changes with the status and with every choice."""
    stored = dumps([plain_values(reader.subscriber), reader.status, reader.fault])
    return f'"{blake2b(stored.encode(), digest_size=8).hexdigest()}"'


def pause(call: Call) -> Response:
    """Pause a reader until a day."""
    reader = _reader(call)
    try:
        chosen = validate(Pause, Document("", call.entry(), {}))
    except InvalidFileError as error:
        raise mistakes(error, 0) from error
    return _shown(call, _operator(call).pause(reader, chosen.until, call.context.now))


def resume(call: Call) -> Response:
    """End a reader's pause, if there is one."""
    reader = _reader(call)
    if reader.subscriber.paused_until is not None or reader.subscriber.cadence == "paused":
        reader = _operator(call).resume(reader, call.context.now)
    return _shown(call, reader)


def unsubscribe(call: Call) -> Response:
    """Unsubscribe a reader who has not left yet."""
    reader = _reader(call)
    if reader.status not in LEFT:
        reader = _operator(call).unsubscribe(reader, call.context.now)
    return _shown(call, reader)


def erase(call: Call) -> Response:
    """Erase a reader's data."""
    _operator(call).erase(_reader(call), call.context.now)
    return Response(status_code=204)


def _operator(call: Call) -> OperatorService:
    return call.context.operator(call.token.name)


def _reader(call: Call) -> Reader:
    number = number_of(call.request.path_params["id"])
    reader = None if number is None else call.context.publisher.store.reader_by_id(number)
    if reader is None or is_erased(reader):
        raise ApiError(404, "There is no such reader.")
    return reader


def _document(reader: Reader) -> dict[str, Any]:
    """A reader as a list has them."""
    return {
        "id": reader.id,
        **plain_values(reader.subscriber),
        "status": reader.status,
        "origin": reader.origin,
        "fault": reader.fault or reader.fallback,
    }


def _shown(call: Call, reader: Reader, status: int = 200) -> Response:
    """A reader as an answer, with the version that a change of it has to name."""
    found = _operator(call).describe(reader, call.context.now)
    due = found.next_letter
    document = _document(reader) | {
        "why_blocked": found.why_blocked,
        "next_letter": None if due is None else due.instant.isoformat(),
        "consents": [
            {"at": each.at.isoformat(), "how": each.how, "text": each.text}
            for each in found.consents
        ],
        "letters": [
            {
                "issue": each.day.isoformat(),
                "state": each.state,
                "attempts": each.attempts,
                "reply": each.reply,
            }
            for each in found.letters
        ],
        "acts": [
            {"at": each.at.isoformat(), "who": each.who, "what": each.what, "detail": each.detail}
            for each in found.acts
        ],
    }
    return JSONResponse(document, status, {"ETag": version_of(reader)})
