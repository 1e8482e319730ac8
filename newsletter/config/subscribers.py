"""subscribers.yaml, CSV and YAML: the operator's readers in and out."""

import csv
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from io import StringIO

from pydantic import Field, model_validator
from ruamel.yaml import YAML

from newsletter.config.fields import Address, RuleText, Strict, WallTime, Zone, address
from newsletter.config.loading import in_order, validated
from newsletter.config.yaml_file import Document, Path, Value, load
from newsletter.errors import ConfigurationError, InvalidFileError
from newsletter.model import CADENCES, WEEKDAYS, Cadence, Filter, Subscriber, Summary, Weekday
from newsletter.papers.filters import parse_rule
from newsletter.text import clean

_LISTS = ("topics", "include", "exclude")
COLUMNS = (
    "email", "name", "topics", "include", "exclude", "min_upvotes", "max_items", "cadence", "day",
    "paused_until", "at", "timezone", "summary",
)  # fmt: skip
"""The columns of a CSV file, in the order they are written; only ``email`` must be there."""


class SubscriberSettings(Strict):
    """One reader of subscribers.yaml. ``docs/configuration.md`` says the same in prose."""

    email: Address
    name: str = ""
    topics: tuple[str, ...] = ()
    include: tuple[RuleText, ...] = ()
    exclude: tuple[RuleText, ...] = ()
    min_upvotes: int = Field(default=0, ge=0)
    max_items: int | None = Field(default=None, ge=1, le=1000)
    cadence: Cadence | None = None
    day: Weekday = "Monday"
    paused_until: date | None = None
    at: WallTime | None = None
    timezone: Zone | None = None
    summary: Summary = "short"

    @property
    def subscriber(self) -> Subscriber:
        """The subscriber these settings describe; a hostile name is cleaned."""
        return Subscriber(
            email=self.email,
            name=clean(self.name),
            filter=Filter(
                topics=self.topics,
                include=tuple(parse_rule(text) for text in self.include),
                exclude=tuple(parse_rule(text) for text in self.exclude),
                min_upvotes=self.min_upvotes,
                max_items=self.max_items,
            ),
            cadence=self.cadence,
            day=WEEKDAYS.index(self.day),
            paused_until=self.paused_until,
            at=self.at,
            timezone=self.timezone,
            summary=self.summary,
        )


class SubscribersSettings(Strict):
    """subscribers.yaml as a whole."""

    subscribers: tuple[SubscriberSettings, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def allow_nobody(cls, value: Value) -> Value:
        """An empty file is nobody."""
        return {} if value is None else value


def read_subscribers(
    source: bytes, file: str, topics: Collection[str], environment: Mapping[str, str]
) -> tuple[Subscriber, ...]:
    """The subscribers in a YAML file's bytes.

    Args:
        source: the file's content.
        file: its name, for errors.
        topics: the names a reader may follow.
        environment: what ``${NAME}`` stands for.

    Raises:
        InvalidFileError: all that is wrong: unknown keys, addresses, filters, topics, duplicates.
        ConfigurationError: the file is no YAML at all.
    """
    return _checked(load(source, file, environment), topics)


def one_subscriber(entry: Mapping[str, Value], topics: Collection[str]) -> Subscriber:
    """A single subscriber from the values a command was given.

    Raises:
        InvalidFileError: all that is wrong with them.
    """
    document = Document("", {"subscribers": [dict(entry)]}, {})
    return _checked(document, topics)[0]


def _checked(document: Document, topics: Collection[str]) -> tuple[Subscriber, ...]:
    across = [*_duplicates(document), *_unknown_topics(document, topics)]
    try:
        found = validated(SubscribersSettings, document)
    except InvalidFileError as error:
        raise InvalidFileError(in_order([*error.errors, *across])) from error
    if across:
        raise InvalidFileError(in_order(across))
    return tuple(settings.subscriber for settings in found.subscribers)


def _entries(document: Document) -> Iterator[tuple[int, dict[str, Value]]]:
    """What has the form of a reader, with its place; of the rest, validation tells."""
    readers = document.value.get("subscribers") if isinstance(document.value, dict) else None
    for place, entry in enumerate(readers if isinstance(readers, list) else ()):
        if isinstance(entry, dict):
            yield place, entry


def _duplicates(document: Document) -> Iterator[ConfigurationError]:
    first: dict[str, int] = {}
    for place, entry in _entries(document):
        email = entry.get("email")
        if not isinstance(email, str):
            continue
        before = first.setdefault(same_mailbox(email), place)
        if before != place:
            line = document.line(("subscribers", before, "email"))
            path = ("subscribers", place, "email")
            yield document.wrong(path, f"{email} stands in line {line} already")


def _unknown_topics(document: Document, topics: Collection[str]) -> Iterator[ConfigurationError]:
    for place, entry in _entries(document):
        named = entry.get("topics")
        for at, name in enumerate(named if isinstance(named, list) else ()):
            if isinstance(name, str) and name.strip() not in topics:
                path = ("subscribers", place, "topics", at)
                yield document.wrong(path, unknown(name.strip(), topics))


def same_mailbox(email: str) -> str:
    """What two spellings of one person's address have in common, to find a reader by."""
    try:
        return address(email.strip()).casefold()
    except ValueError:
        return email.casefold()


def unknown(name: str, topics: Collection[str]) -> str:
    """What to say of a topic the newsletter does not have."""
    near = difflib.get_close_matches(name, list(topics), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(topics) or 'none'}"
    return f"the newsletter has no topic {name!r}; {hint}"


def read_csv(source: bytes, file: str, topics: Collection[str]) -> tuple[Subscriber, ...]:
    """The subscribers in a CSV file's bytes: a header line, lists joined by semicolons.

    Raises:
        InvalidFileError: as for :func:`read_subscribers`.
        ConfigurationError: not UTF-8, or no ``email`` column.
    """
    try:
        reader = csv.DictReader(StringIO(source.decode("utf-8-sig")), strict=True)
        rows = [(reader.line_num, _entry(row)) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"this is no CSV file in UTF-8: {error}", file=file) from error
    if "email" not in (reader.fieldnames or ()):
        columns = ",".join(COLUMNS)
        words = "the first line must name the columns, with commas between them, email at least"
        raise ConfigurationError(f"{words}: {columns}", file=file)
    return _checked(_as_document(rows, file), topics)


def _entry(row: Mapping[str | None, str | list[str] | None]) -> dict[str, Value]:
    """A CSV row as an entry of subscribers.yaml; empty fields are left out."""
    entry: dict[str, Value] = {}
    for column, text in row.items():
        if column is None or isinstance(text, list):
            entry["(beyond the last column)"] = str(text)
        elif text and column in _LISTS:
            entry[column] = [part.strip() for part in text.split(";") if part.strip()]
        elif text:
            entry[column] = text
    return entry


def _as_document(rows: Sequence[tuple[int, dict[str, Value]]], file: str) -> Document:
    lines: dict[Path, int] = {("subscribers", place): row[0] for place, row in enumerate(rows)}
    return Document(file, {"subscribers": [entry for _, entry in rows]}, lines)


def write_csv(subscribers: Iterable[Subscriber]) -> str:
    """Subscribers as CSV, lists joined by semicolons."""
    out = StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for subscriber in subscribers:
        writer.writerow(
            {
                key: ";".join(value) if isinstance(value, list) else value
                for key, value in as_entry(subscriber).items()
            }
        )
    return out.getvalue()


def write_yaml(subscribers: Iterable[Subscriber]) -> str:
    """Subscribers in the form of subscribers.yaml."""
    yaml, out = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.dump({"subscribers": [as_entry(subscriber) for subscriber in subscribers]}, out)
    return out.getvalue()


def as_entry(subscriber: Subscriber) -> dict[str, str | int | list[str]]:
    """A subscriber as plain values, what is at its default left out."""
    wants = subscriber.filter
    paused_until, cadence = subscriber.paused_until, subscriber.cadence
    entry: dict[str, str | int | list[str] | None] = {
        "email": subscriber.email,
        "name": subscriber.name,
        "topics": list(wants.topics),
        "include": [rule.text for rule in wants.include],
        "exclude": [rule.text for rule in wants.exclude],
        "min_upvotes": wants.min_upvotes,
        "max_items": wants.max_items,
        "cadence": cadence,
        "day": WEEKDAYS[subscriber.day] if cadence and CADENCES[cadence].asks_weekday else None,
        "paused_until": None if paused_until is None else paused_until.isoformat(),
        "at": subscriber.at,
        "timezone": subscriber.timezone,
        "summary": None if subscriber.summary == "short" else subscriber.summary,
    }
    return {key: value for key, value in entry.items() if value}
