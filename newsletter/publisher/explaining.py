"""Why: for every paper of a day, one reason it is in a reader's edition or is not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from newsletter.issue.explaining import explain
from newsletter.issue.table import Table
from newsletter.model import Issue, Reader, Standing, Verdict
from newsletter.publisher.drafting import draft_issue, match, standings
from newsletter.publisher.filter_preview import unsent
from newsletter.publisher.newsletter import Desk


def why(desk: Desk, day: date, readers: Sequence[Reader]) -> Iterator[Verdict]:
    """Readers x papers verdicts on the issue of ``day``, reader by reader.

    Those who have a frozen edition are answered from what was frozen, filter included; the
    others as the issue would be cut for them now.
    """
    waves = {wave.id: wave.issue for wave in desk.store.waves(day)}
    frozen = {reader.id: _frozen(desk, day, reader) for reader in readers}
    rest = [reader for reader in readers if frozen[reader.id] is None]
    for wave, issue in waves.items():
        held = [found[1] for found in frozen.values() if found is not None and found[0] == wave]
        yield from _explained(desk, issue, held)
    if rest:
        latest = max(waves, default=None)
        after = min(reader.decided for reader in rest)
        issue = draft_issue(desk, day, after, ()) if latest is None else waves[latest]
        yield from _explained(desk, issue, standings(desk, rest, issue))


def why_anew(desk: Desk, day: date, reader: Reader) -> tuple[Verdict, ...]:
    """The reasons of :func:`newsletter.publisher.anew`: as if nothing had ever been sent."""
    new = replace(reader, decided=0)
    issue = unsent(desk, day, desk.store.papers_read(day))
    return tuple(_explained(desk, issue, [Standing(new)]))


def _frozen(desk: Desk, day: date, reader: Reader) -> tuple[int, Standing] | None:
    return desk.store.stood(day, reader.subscriber.email)


def _explained(desk: Desk, issue: Issue, at: Sequence[Standing]) -> Iterator[Verdict]:
    matching = match(desk, issue, [standing.reader for standing in at])
    table = Table(issue, matching)
    for standing in at:
        yield from explain(table, standing)
