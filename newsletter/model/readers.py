"""Who reads, and what they want: topics, rules, filters, subscribers."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Literal

from newsletter.model.cadences import Cadence
from newsletter.model.closed_sets import complete

Field = Literal["text", "title", "author", "org", "category", "about"]
"""Where a term is looked for; ``text`` is title and abstract. ``about`` asks for meaning and,
where no matcher of meaning is there, for its words in title and abstract."""

Summary = Literal["short", "full", "titles"]
Length = Literal["short", "full", "titles", "lead"]
"""How much of an abstract a reader wants."""

Status = Literal["unconfirmed", "confirmed", "unsubscribed", "blocked", "removed"]
"""Where a subscription stands. ``removed``: struck from the operator's file; it may come back
with the file. ``unsubscribed`` and ``blocked`` outlive the file."""

Origin = Literal["file", "store"]
"""Who a reader belongs to: the operator's file, or the store."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase, whole and without regard to case, in one field of a paper."""

    field: Field
    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """True where its expression is not."""

    of: "Expression"


@dataclass(frozen=True, slots=True)
class All:
    """True where all of its expressions are."""

    of: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where one of its expressions is."""

    of: tuple["Expression", ...]


Expression = Term | Not | All | AnyOf
"""A parsed filter expression."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An expression together with the words it was written in, which reasons quote."""

    text: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject papers are grouped under.

    A paper is in it when one of ``any`` or ``categories``, or ``about``, matches and none of
    ``none`` does.
    """

    name: str
    any: tuple[Rule, ...] = ()
    none: tuple[Rule, ...] = ()
    categories: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """What one reader wants.

    ``topics`` are names in the reader's own order. A reader with neither ``topics`` nor
    ``include`` gets every paper, under every topic. ``max_items`` of None leaves the cap to the
    issue.
    """

    topics: tuple[str, ...] = ()
    include: tuple[Rule, ...] = ()
    exclude: tuple[Rule, ...] = ()
    min_upvotes: int = 0
    max_items: int | None = None

    @property
    def everything(self) -> bool:
        """Whether this reader asked for no choice at all."""
        return not self.topics and not self.include


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person's subscription as they or the operator wrote it.

    ``email`` is normalised (lower-case domain, IDNA) and is the reader's name in every command.
    ``cadence`` of None follows the newsletter's own days; ``at`` (``HH:MM``) and ``timezone``
    (an IANA name) of None follow the newsletter's. ``day`` is 0 for Monday.
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
        for field in fields(Subscriber)
        for name in ([f.name for f in fields(Filter)] if field.name == "filter" else [field.name])
    ],
    {
        "email": "fixed",
        "name": "fixed",
        "topics": "choices",
        "include": "lines",
        "exclude": "lines",
        "min_upvotes": "text",
        "max_items": "text",
        "cadence": "text",
        "day": "text",
        "paused_until": "fixed",
        "at": "text",
        "timezone": "text",
        "summary": "text",
    },
)
"""A subscriber's fields, those of the filter among them, as files and forms name them."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A subscriber the store knows.

    ``decided`` is the ingest number up to which everything has been decided for them: the
    cutoff of the last freeze that was accepted or empty, or of the last one before they joined.
    """

    id: int
    subscriber: Subscriber
    status: Status
    decided: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class DailyGrowth:
    """How many readers came on a day (in UTC), and how many of those there were left."""

    day: date
    came: int
    left: int


@dataclass(frozen=True, slots=True)
class Consent:
    """When a reader agreed to get the letters, how, and to which words."""

    at: datetime
    how: str
    text: str


@dataclass(frozen=True, slots=True)
class Caps:
    """How many letters may be asked for by people who are not known to be who they say.

    ``a_day`` and ``ever`` are for one address, ``client_an_hour`` for one client,
    ``all_an_hour`` for everybody together.
    """

    a_day: int
    ever: int
    client_an_hour: int
    all_an_hour: int
