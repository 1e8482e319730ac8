"""Readers and what they chose."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal

from newsletter.model.cadences import Cadence
from newsletter.model.closed_sets import complete
from newsletter.model.rules import Rule

Summary = Literal["short", "brief", "full", "titles"]
"""How much of each abstract a reader wants; ``brief`` is the source's own sentence in its place."""

Length = Literal[Summary, "lead"]
"""How much of an abstract a card shows; ``lead`` is for the best papers of a letter."""

Breadth = Literal["strict", "normal", "broad"]
"""How sure a paper must be to be one that a wish in plain words asks for."""

Status = Literal["unconfirmed", "waiting", "confirmed", "unsubscribed", "blocked", "removed"]
"""The status of a subscription. ``waiting``: the reader confirmed the address, and the operator has
not approved them yet. ``removed``: deleted from the operator's file; writing it there again
restores it, while ``unsubscribed`` and ``blocked`` stay whatever the file says."""

Origin = Literal["file", "store"]
"""Where a reader is managed: in the operator's file, or in the store only."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The papers one reader wants.

    ``topics`` are names in the reader's order. A reader with neither ``topics`` nor ``include``
    gets every paper. ``max_items`` of None means the limit of the issue. ``breadth`` is about the
    wishes in plain words among ``include``.
    """

    topics: tuple[str, ...] = ()
    include: tuple[Rule, ...] = ()
    exclude: tuple[Rule, ...] = ()
    min_upvotes: int = 0
    max_items: int | None = None
    breadth: Breadth = "normal"

    @property
    def everything(self) -> bool:
        """Whether the reader wants every paper."""
        return not self.topics and not self.include


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription as the reader or the operator wrote it.

    ``email`` is normalised (lower-case domain, IDNA) and names the reader in every command.
    ``cadence``, ``at`` (``HH:MM``) and ``timezone`` (an IANA name) of None mean those of the
    newsletter. ``day`` is 0 for Monday.
    """

    email: str
    name: str = ""
    filter: Filter = Filter()
    cadence: Cadence | None = None
    day: int = 0
    paused_until: date | None = None
    at: str | None = None
    timezone: str | None = None
    summary: Summary = "short"


FormField = Literal["fixed", "text", "lines", "choices"]
"""How the readers' form asks for a field: one line of text or a list to pick from, several lines,
several boxes to tick. It does not ask for ``fixed`` ones, and saving the form keeps them."""

SUBSCRIBER_FIELDS: Mapping[str, FormField] = complete(
    "SUBSCRIBER_FIELDS",
    [
        name
        for own in fields(Subscriber)
        for name in ([f.name for f in fields(Filter)] if own.name == "filter" else [own.name])
    ],
    {
        "email": "fixed",
        "name": "fixed",
        "topics": "choices",
        "include": "lines",
        "exclude": "lines",
        "min_upvotes": "text",
        "max_items": "text",
        "breadth": "text",
        "cadence": "text",
        "day": "text",
        "paused_until": "fixed",
        "at": "text",
        "timezone": "text",
        "summary": "text",
    },
)
"""A subscriber's fields, those of the filter among them, as files and forms name them."""


def field_values(subscriber: Subscriber) -> dict[str, Any]:
    """A subscriber's values by field, those of the filter among them."""
    wants = subscriber.filter
    return {n: getattr(wants if hasattr(wants, n) else subscriber, n) for n in SUBSCRIBER_FIELDS}


def subscriber_with(values: Mapping[str, Any]) -> Subscriber:
    """The subscriber whose :func:`field_values` these are."""
    others = dict(values)
    wants = Filter(**{each.name: others.pop(each.name) for each in fields(Filter)})
    return Subscriber(**others, filter=wants)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a subscriber that two versions have differently."""

    field: str
    before: object
    after: object


def field_changes(
    before: Subscriber, after: Subscriber, names: Collection[str] = SUBSCRIBER_FIELDS
) -> tuple[FieldChange, ...]:
    """The fields, all or of these, in which two versions of a subscriber differ."""
    old, new = field_values(before), field_values(after)
    return tuple(
        FieldChange(name, old[name], new[name])
        for name in SUBSCRIBER_FIELDS
        if name in names and old[name] != new[name]
    )


@dataclass(frozen=True, slots=True)
class FileEffect:
    """What the readers' file did to a reader: replaced these choices; without any, removed them."""

    reader: int
    email: str
    replaced: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """A subscriber in the store.

    ``decided`` is the ingest number up to which every paper has been decided for them: the cutoff
    of their last delivery that was accepted or empty, or of the last freeze before they joined.

    ``fault`` says why the stored settings cannot be used: such a reader gets no letters, and
    ``subscriber`` has only the address. ``fallback`` says which settings cannot be used where the
    newsletter's own take their place. Another version, or a hand, may have written them.

    ``stored`` is a subscriber and the text that says the same, of the row that this was read from.
    """

    id: int
    subscriber: Subscriber
    status: Status
    decided: int
    origin: Origin
    fault: str = ""
    fallback: str = ""
    stored: tuple[Subscriber, str] | None = field(default=None, compare=False, repr=False)

    @property
    def is_served(self) -> bool:
        """Whether they get letters."""
        return self.status == "confirmed" and not self.fault


@dataclass(frozen=True, slots=True)
class ReaderFault:
    """A reader who is skipped, or gets letters otherwise than their settings say.

    Attributes:
        words: what is wrong, and with what consequence.
        served: whether they get letters all the same.
        stored: whether what is stored of the reader says it, as long as it stays.
        lost: the topics that they follow and the newsletter does not have.
    """

    id: int
    email: str
    words: str
    served: bool = False
    stored: bool = False
    lost: tuple[str, ...] = ()


LEFT: frozenset[Status] = frozenset({"unsubscribed", "blocked"})
"""The statuses of those who left or are blocked: no file and no import subscribes them again."""

ListedStatus = Literal["confirmed", "unsubscribed", "blocked"]
"""The status that a file of readers can give a reader."""


@dataclass(frozen=True, slots=True)
class ListedReader:
    """One reader in a file of readers.

    Attributes:
        subscriber: address and choices.
        status: whether they get letters, have left, or are blocked.
        since: when they left or were blocked; None if the file does not say.
        consented: when they agreed to get the letters; None if the file does not say.
        named: the fields of the subscriber that the file names, also with a default value.
    """

    subscriber: Subscriber
    status: ListedStatus = "confirmed"
    since: datetime | None = None
    consented: datetime | None = None
    named: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class DailyGrowth:
    """How many readers joined on a day (UTC), and how many left."""

    day: date
    came: int
    left: int


@dataclass(frozen=True, slots=True)
class Consent:
    """When a reader agreed to get the letters, how, and to which text."""

    at: datetime
    how: str
    text: str


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How many emails may be requested by people who have not proved their address yet.

    The first two limits are for one address, then for one client (a network address), and for
    all requests together.
    """

    per_address_daily: int
    per_address_total: int
    per_client_hourly: int
    total_hourly: int


@dataclass(frozen=True, slots=True)
class OperatorAct:
    """One change that an operator made to readers or issues; acts are never deleted.

    Attributes:
        at: when.
        who: ``command line``, ``operator's page``, ``readers' file``, or the name of an API token.
        what: what was done, in a few words in the past: ``unsubscribed``.
        reader: the id of the reader it was done to; None if it was not about one reader.
        detail: what changed. Without a ``reader`` it names nobody, as erasing would not find it.
    """

    at: datetime
    who: str
    what: str
    reader: int | None = None
    detail: str = ""
