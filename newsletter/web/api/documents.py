"""What the API takes and gives, as models that its description is made from."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from newsletter.config.fields import Instant, Strict
from newsletter.config.subscribers import SubscriberSettings
from newsletter.model import Counts, DeliveryState, IssueState, Origin, Status


class Document(BaseModel):
    """A part of an answer; fields may be added to it."""

    model_config = ConfigDict(frozen=True)


def _nullable(schema: dict[str, Any]) -> None:
    """What may be left out may be null, too; see :meth:`Strict.drop_nulls`."""
    required, null = schema.get("required", ()), {"type": "null"}
    schema["properties"] = {
        name: part if name in required else {"anyOf": [part, null]}
        for name, part in schema["properties"].items()
    }


def _as_change(schema: dict[str, Any]) -> None:
    """Nothing has to be there, and the address is not among it."""
    schema.pop("required", None)
    del schema["properties"]["email"]
    _nullable(schema)


class GivenConsent(Strict):
    """When and how a person agreed to get the emails, and to which text."""

    model_config = ConfigDict(json_schema_extra=_nullable)

    at: Instant
    how: str = Field(min_length=1, max_length=500, examples=["on the form at our desk"])
    text: str = Field(default="", max_length=5000)


class Subscription(SubscriberSettings):
    """Somebody to subscribe. With a ``consent``, they are not asked to confirm."""

    model_config = ConfigDict(json_schema_extra=_nullable)

    consent: GivenConsent | None = None


class ReaderChange(SubscriberSettings):
    """Choices to change; null restores the default."""

    model_config = ConfigDict(json_schema_extra=_as_change)


class Pause(Strict):
    """Until when a reader pauses: on this day the emails come again."""

    until: date


class Asked(Document):
    """The address that is asked to confirm, whether it is a reader's already or not."""

    email: str


class ReaderDocument(SubscriberSettings):
    """A reader: the choices, each with its value, and what became of the subscription."""

    id: int
    status: Status
    origin: Origin
    fault: str = Field(description="why the stored settings cannot be used; empty if they can")


class ConsentDocument(Document):
    """A consent that is kept as proof."""

    at: datetime
    how: str
    text: str


class LetterDocument(Document):
    """An email to a reader, with the last words of the server that took or refused it."""

    issue: date
    state: DeliveryState
    attempts: int
    reply: str


class ActDocument(Document):
    """What an operator did."""

    at: datetime
    who: str
    what: str
    detail: str


class ReaderDetails(ReaderDocument):
    """The same, with what helps to answer a reader's question."""

    why_blocked: str
    next_letter: datetime | None
    consents: list[ConsentDocument]
    letters: list[LetterDocument]
    acts: list[ActDocument]


class IssueDocument(Document):
    """A day's issue, and how many of its emails are in each state."""

    issue: date
    state: IssueState
    reason: str
    planned: int
    open: int
    counts: Counts


class PaperDocument(Document):
    """A paper of an issue; ``links`` are by their labels, and a machine wrote the ``brief``."""

    key: str
    number: int
    title: str
    abstract: str
    brief: str
    keywords: list[str]
    authors: list[str]
    organization: str | None
    categories: list[str]
    topic: str
    published: date | None
    upvotes: int | None
    url: str | None
    links: dict[str, str]
    submitter: str
    author_answers: bool
    media: list[str]
    thumbnail: str | None
    withdrawn: bool


class Readers(Document):
    """A page of readers; ``next`` is the path of the following one, if there is one."""

    items: list[ReaderDocument]
    next: str | None


class Issues(Document):
    """A page of issues."""

    items: list[IssueDocument]
    next: str | None


class Papers(Document):
    """A page of papers."""

    items: list[PaperDocument]
    next: str | None


class PartProblem(Document):
    """What is wrong with one part of a body."""

    detail: str
    pointer: str


class Problem(Document):
    """What is wrong (RFC 9457)."""

    title: str
    status: int
    detail: str
    errors: list[PartProblem] = []
