"""Why: for every paper of a day, one reason it is in a reader's edition or is not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from newsletter.issue.composing import IssueMasks
from newsletter.issue.selecting import explain
from newsletter.model import Issue, Reader, ReaderHistory, Verdict
from newsletter.publisher.drafting import draft_issue, histories, match
from newsletter.publisher.filter_preview import unsent
from newsletter.publisher.publisher import Publisher


def why(publisher: Publisher, day: date, readers: Sequence[Reader]) -> Iterator[Verdict]:
    """Readers x papers verdicts on the issue of ``day``, reader by reader.

    Those who have a frozen edition are answered from what was frozen, filter included; the
    others as the issue would be cut for them now.
    """
    waves = {wave.id: wave.issue for wave in publisher.store.waves(day)}
    frozen = {reader.id: _frozen(publisher, day, reader) for reader in readers}
    rest = [reader for reader in readers if frozen[reader.id] is None]
    for wave, issue in waves.items():
        held = [found[1] for found in frozen.values() if found is not None and found[0] == wave]
        yield from _explained(publisher, issue, held)
    if rest:
        latest = max(waves, default=None)
        after = min(reader.decided for reader in rest)
        issue = draft_issue(publisher, day, after, ()) if latest is None else waves[latest]
        yield from _explained(publisher, issue, histories(publisher, rest, issue))


def why_anew(publisher: Publisher, day: date, reader: Reader) -> tuple[Verdict, ...]:
    """The reasons of :func:`newsletter.publisher.anew`: as if nothing had ever been sent."""
    new = replace(reader, decided=0)
    issue = unsent(publisher, day, publisher.store.papers_listed(day))
    return tuple(_explained(publisher, issue, [ReaderHistory(new)]))


def _frozen(publisher: Publisher, day: date, reader: Reader) -> tuple[int, ReaderHistory] | None:
    return publisher.store.history_at_freeze(day, reader.subscriber.email)


def _explained(
    publisher: Publisher, issue: Issue, at: Sequence[ReaderHistory]
) -> Iterator[Verdict]:
    matching = match(publisher, issue, [history.reader for history in at])
    table = IssueMasks(issue, matching)
    for history in at:
        yield from explain(table, history)
