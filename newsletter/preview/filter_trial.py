"""A filter tried before anyone saves it: papers a day, the last matches, the near misses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from newsletter.config.subscribers import one_subscriber
from newsletter.config.yaml_file import Value
from newsletter.model import Verdict
from newsletter.publisher.filter_preview import FilterPreview, try_out
from newsletter.publisher.publisher import Publisher

DAYS = 14
"""How far back it is tried."""

SHOWN = 8
"""Papers shown of the last matches, and of the near misses."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a filter would have brought.

    Attributes:
        days: each day with papers, oldest first: the day, papers brought, papers there were.
        matches: the last papers it would have brought.
        misses: the last that one rule alone kept away.
    """

    days: tuple[tuple[date, int, int], ...]
    matches: tuple[Verdict, ...]
    misses: tuple[Verdict, ...]

    @property
    def most(self) -> int:
        """Papers brought on the fullest day, at least 1."""
        return max([1, *(brought for _, brought, _ in self.days)])

    @property
    def a_day(self) -> float:
        """Papers a day."""
        return sum(brought for _, brought, _ in self.days) / max(1, len(self.days))


def tried(publisher: Publisher, today: date, words: Mapping[str, str]) -> Tried:
    """Try the filter that was typed in.

    Args:
        publisher: the newsletter.
        today: the last day it is tried on.
        words: ``topic`` (a name), ``include`` and ``exclude`` (a rule a line).

    Raises:
        InvalidFileError: a rule or a topic is wrong; says which and how.
    """
    entry: dict[str, Value] = {"email": publisher.publication.sender_email}
    for field in ("include", "exclude"):
        rules: list[Value] = [line.strip() for line in words.get(field, "").splitlines()]
        entry[field] = [rule for rule in rules if rule]
    if topic := words.get("topic", ""):
        entry["topics"] = [topic]
    subscriber = one_subscriber(entry, [known.name for known in publisher.topics])
    return _summed(try_out(publisher, subscriber, today, DAYS))


def _summed(trials: Sequence[FilterPreview]) -> Tried:
    matches = [verdict for trial in trials for verdict in trial.included]
    misses = [verdict for trial in trials for verdict in trial.near_misses]
    days = tuple((trial.day, len(trial.included), trial.papers) for trial in reversed(trials))
    return Tried(days, tuple(matches[:SHOWN]), tuple(misses[:SHOWN]))
