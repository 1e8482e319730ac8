"""The readers' file: subscribers read from YAML and CSV, and written to them."""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from io import StringIO
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator
from ruamel.yaml import YAML

from newsletter.config.fields import (
    Address,
    Instant,
    RuleText,
    Strict,
    WallTime,
    Zone,
    address,
)
from newsletter.config.loading import sorted_by_line, validate
from newsletter.config.rules import check_rules, entries
from newsletter.config.sources import EVERY_FIELD
from newsletter.config.yaml_file import Document, SettingPath, Value, load
from newsletter.errors import ConfigurationError, InvalidFileError
from newsletter.model import (
    CADENCES,
    SUBSCRIBER_FIELDS,
    WEEKDAYS,
    Breadth,
    Cadence,
    ListedReader,
    ListedStatus,
    Rule,
    Subscriber,
    Summary,
    Weekday,
    field_values,
    subscriber_with,
)
from newsletter.model.closed_sets import complete
from newsletter.papers.filters import parse_rule
from newsletter.ports import Matcher
from newsletter.readers.erasing import is_alias
from newsletter.text import clean

Plain = str | int | list[str]
"""A field's value as YAML and JSON have it."""


class SubscriberSettings(Strict):
    """One reader of subscribers.yaml; ``docs/configuration.md`` explains each setting."""

    email: Address
    name: str = ""
    topics: tuple[str, ...] = ()
    include: tuple[RuleText, ...] = ()
    exclude: tuple[RuleText, ...] = ()
    min_upvotes: int = Field(default=0, ge=0)
    max_items: int | None = Field(default=None, ge=1, le=1000)
    breadth: Breadth = "normal"
    cadence: Cadence | None = None
    day: Weekday = "Monday"
    paused_until: date | None = None
    at: WallTime | None = None
    timezone: Zone | None = None
    summary: Summary = "short"

    @property
    def subscriber(self) -> Subscriber:
        """The subscriber these settings describe."""
        given = ((name, getattr(self, name)) for name in SUBSCRIBER_FIELDS)
        return subscriber_with({name: _READ.get(name, _as_is)(value) for name, value in given})


def _as_is(value: Any) -> Any:  # noqa: ANN401 - a value of any field
    return value


def _parse_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    return tuple(map(parse_rule, texts))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "name": clean,  # it may come from a stranger and goes into headers
    "include": _parse_rules,
    "exclude": _parse_rules,
    "day": WEEKDAYS.index,
}
"""How a setting becomes the subscriber's value, if it must be converted."""

complete("SubscriberSettings", SUBSCRIBER_FIELDS, SubscriberSettings.model_fields)


def _address_or_alias(text: str) -> str:
    return text if is_alias(text) else address(text)


def is_address(email: str) -> bool:
    """Whether a file of readers may have this as an address, or as the alias of an erased one."""
    try:
        _address_or_alias(email)
    except ValueError:
        return False
    return True


class ListedReaderSettings(SubscriberSettings):
    """One reader of a file, with what happened to the subscription."""

    email: Annotated[str, AfterValidator(_address_or_alias)]
    status: ListedStatus = "confirmed"
    since: Instant | None = None
    consented: Instant | None = None

    @model_validator(mode="after")
    def keep_erased_away(self) -> Self:
        """The alias of an erased reader keeps them away; it is no address to send to."""
        if self.status == "confirmed" and is_alias(self.email):
            address(self.email)  # its error says why
        return self

    @property
    def reader(self) -> ListedReader:
        """The reader these settings describe."""
        named = self.model_fields_set.intersection(SUBSCRIBER_FIELDS)
        return ListedReader(
            self.subscriber, self.status, self.since, self.consented, frozenset(named)
        )


HISTORY_FIELDS = tuple(
    name for name in ListedReaderSettings.model_fields if name not in SUBSCRIBER_FIELDS
)
"""What a file says of a subscription besides the subscriber's own choices."""


class SubscribersSettings(Strict):
    """subscribers.yaml as a whole."""

    subscribers: tuple[ListedReaderSettings, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def allow_empty_file(cls, value: Value) -> Value:
        """An empty file lists no reader."""
        return {} if value is None else value


def read_subscribers(
    source: bytes, file: str, topics: Collection[str], environment: Mapping[str, str]
) -> tuple[ListedReader, ...]:
    """The readers in a YAML file's bytes.

    Args:
        source: the file's content.
        file: its name, for errors.
        topics: the names of the topics that a reader can follow; former ones too.
        environment: the variables for ``${NAME}``.

    Raises:
        InvalidFileError: every mistake: unknown keys, addresses, filters, topics, duplicates.
        ConfigurationError: the file is not YAML.
    """
    return _validate_document(load(source, file, environment), topics)


def read_entry(
    entry: Mapping[str, Value], topics: Collection[str], matcher: Matcher | None = None
) -> ListedReader:
    """A reader from the values of one entry, given to a command or a form.

    The ``matcher`` judges wishes in plain words.

    Raises:
        InvalidFileError: every mistake in them, and rules that can never find anything.
    """
    document = Document("", {"subscribers": [dict(entry)]}, {})
    (reader,) = _validate_document(document, topics)
    if errors := check_rules(document, EVERY_FIELD, matcher, certain=True):
        raise InvalidFileError(errors)
    return reader


def subscriber_from_entry(
    entry: Mapping[str, Value], topics: Collection[str], matcher: Matcher | None = None
) -> Subscriber:
    """The subscriber of :func:`read_entry`."""
    return read_entry(entry, topics, matcher).subscriber


def _validate_document(document: Document, topics: Collection[str]) -> tuple[ListedReader, ...]:
    errors = [*_duplicates(document), *_unknown_topics(document, topics)]
    try:
        settings = validate(SubscribersSettings, document)
    except InvalidFileError as error:
        raise InvalidFileError(sorted_by_line([*error.errors, *errors])) from error
    if errors:
        raise InvalidFileError(sorted_by_line(errors))
    return tuple(each.reader for each in settings.subscribers)


def read_entries(
    rows: Sequence[tuple[int, Mapping[str, Value]]], file: str, topics: Collection[str]
) -> tuple[tuple[ListedReader, ...], tuple[ConfigurationError, ...]]:
    """The readers of entries, each given with its line, and the mistakes in the others."""
    try:
        return _validate_document(_as_document(rows, file), topics), ()
    except InvalidFileError as error:
        wrong = {int(each.where.split(".")[1]) for each in error.errors}
        right = [row for place, row in enumerate(rows) if place not in wrong]
        return _validate_document(_as_document(right, file), topics), error.errors


def _duplicates(document: Document) -> Iterator[ConfigurationError]:
    first: dict[str, int] = {}
    for place, entry in entries(document, "subscribers"):
        email = entry.get("email")
        if not isinstance(email, str):
            continue
        before = first.setdefault(mailbox_key(email), place)
        if before != place:
            line = document.line(("subscribers", before, "email"))
            path = ("subscribers", place, "email")
            yield document.error_at(path, f"{email} is already on line {line}")


def _unknown_topics(document: Document, topics: Collection[str]) -> Iterator[ConfigurationError]:
    for place, entry in entries(document, "subscribers"):
        named = entry.get("topics")
        for at, name in enumerate(named if isinstance(named, list) else ()):
            if isinstance(name, str) and name.strip() not in topics:
                path = ("subscribers", place, "topics", at)
                yield document.error_at(path, _unknown_topic(name.strip(), topics))


def mailbox_key(email: str) -> str:
    """A key to find readers by; it is equal for all spellings of one mailbox's address."""
    try:
        return address(email.strip()).casefold()
    except ValueError:
        return email.casefold()


def _unknown_topic(name: str, topics: Collection[str]) -> str:
    """The error for a topic that the newsletter does not have."""
    present = dict.fromkeys(topics.values() if isinstance(topics, Mapping) else topics)
    near = difflib.get_close_matches(name, present, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(present) or 'none'}"
    return f"the newsletter has no topic {name!r}; {hint}"


def _as_document(rows: Sequence[tuple[int, Mapping[str, Value]]], file: str) -> Document:
    lines: dict[SettingPath, int] = {
        ("subscribers", place): row[0] for place, row in enumerate(rows)
    }
    return Document(file, {"subscribers": [dict(entry) for _, entry in rows]}, lines)


def write_yaml(readers: Iterable[ListedReader]) -> str:
    """Readers as text in the form of subscribers.yaml.

    Text in it names no environment variable: a reader may have written ``${NEWSLETTER_SECRET}``.
    """
    yaml, out = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.dump({"subscribers": [to_listed_entry(reader) for reader in readers]}, out)
    return out.getvalue().replace("${", "$${")


def to_listed_entry(reader: ListedReader) -> dict[str, Plain]:
    """A reader as plain values: those of :func:`to_entry`, and what happened to the subscription.

    What is at its default is left out.
    """
    values = {name: _plain(getattr(reader, name)) for name in HISTORY_FIELDS}
    kept = {name: value for name, value in values.items() if value not in (None, "confirmed")}
    return to_entry(reader.subscriber) | kept


def to_entry(subscriber: Subscriber) -> dict[str, Plain]:
    """A subscriber as plain values, without those that are at their default."""
    values, defaults = plain_values(subscriber), plain_values(Subscriber(""))
    cadence = subscriber.cadence
    asks_weekday = cadence is not None and CADENCES[cadence].asks_weekday
    return {
        name: value
        for name, value in values.items()
        if value is not None and (asks_weekday if name == "day" else value != defaults[name])
    }


def plain_values(subscriber: Subscriber) -> dict[str, Plain | None]:
    """Every field of a subscriber as files and forms write it."""
    return {name: plain_value(name, value) for name, value in field_values(subscriber).items()}


def plain_value(field: str, value: Any) -> Plain | None:  # noqa: ANN401 - a value of any field
    """A value of this field as files and forms write it."""
    return WEEKDAYS[value] if field == "day" else _plain(value)


def _plain(value: Any) -> Plain | None:  # noqa: ANN401 - a value of any field
    match value:
        case datetime():
            return value.isoformat(timespec="seconds")
        case date():
            return value.isoformat()
        case tuple():
            return [part.text if isinstance(part, Rule) else part for part in value]
        case _:
            return value  # type: ignore[no-any-return]
