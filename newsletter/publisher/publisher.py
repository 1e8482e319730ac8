"""A newsletter ready to work: what the use cases of this package take as their first argument."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from newsletter.letter.links import Keyring
from newsletter.model import Days, Publication, Topic
from newsletter.papers.topics import present_names
from newsletter.ports import Clock, Matcher, Source, Store
from newsletter.publisher.canary import Canary

if TYPE_CHECKING:
    from newsletter.letter.rendering import LetterTemplates


class WithSources(Protocol):
    """A publisher, or what has these parts of one: the doctor's may lack its templates."""

    @property
    def sources(self) -> Sequence[Source]:
        """The configured ones."""

    @property
    def store(self) -> Store:
        """What is known of them."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def known_topics(self) -> Mapping[str, str]:
        """For each name of a topic, present or former, the present one."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """A newsletter ready to work.

    Attributes:
        topics: the sections, in their order.
        cadence: the days of readers who chose none.
        max_items: the most papers of an edition, for readers who set no limit.
        when_empty: whether a reader without a paper gets a letter that says so.
        keyring: signs links and names letters.
        templates: compiles the letter's templates when they are first asked for.
        in_doubt: whether a letter that may have left is sent again, once, or held.
        canary: who gets an issue before the others; None for nobody.
    """

    publication: Publication
    topics: tuple[Topic, ...]
    cadence: Days
    max_items: int
    when_empty: Literal["skip", "send"]
    keyring: Keyring
    templates: Callable[[], "LetterTemplates"]
    sources: Sequence[Source]
    store: Store
    matcher: Matcher
    clock: Clock
    in_doubt: Literal["resend", "hold"] = "resend"
    canary: Canary | None = None

    @property
    def topic_names(self) -> Sequence[str]:
        """The names of the topics."""
        return [topic.name for topic in self.topics]

    @property
    def known_topics(self) -> Mapping[str, str]:
        """For each name of a topic, present or former, the present one."""
        return present_names(self.topics)
