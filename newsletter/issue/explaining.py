"""For every paper of an issue the one reason it is, or is not, in a reader's edition."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from newsletter.issue.judging import Judgement, headings, judge
from newsletter.issue.table import REACH, Table, quoting
from newsletter.model import EVERY_PAPER, Filter, ReaderHistory, Rule, Verdict
from newsletter.papers.topics import bits
from newsletter.text import display


def explain(table: Table, history: ReaderHistory) -> Iterator[Verdict]:
    """For every paper of the issue, in its order, the one reason it is in or out."""
    judged = judge(table, history)
    subscriber = history.reader.subscriber
    because = _because(table, subscriber.filter, judged.chosen)
    for place, paper in enumerate(table.issue.papers):
        yield Verdict(
            reader=subscriber.email,
            paper=paper.key,
            title=display(paper.item.title),
            included=place in because,
            reason=because.get(place) or _why_not(table, history, judged, place),
        )


def _because(table: Table, wants: Filter, chosen: int) -> Mapping[int, str]:
    """Why each of the chosen papers is in: the topic it stands under, or the reader's own rule."""
    if wants.everything:
        return dict.fromkeys(bits(chosen), EVERY_PAPER)
    return {
        place: heading.because[place]
        for heading in headings(table, wants, chosen)
        for place in bits(heading.papers)
    }


def _excluding(table: Table, rules: Sequence[Rule], place: int) -> str:
    rule = next(rule for rule in rules if table.matches(rule) >> place & 1)
    return quoting("exclude", rule.text)


def _why_not(table: Table, history: ReaderHistory, judged: Judgement, place: int) -> str:
    """The first of the reasons that keep a paper out, in the order in which they are decided."""
    paper = table.issue.papers[place]
    wants = history.reader.subscriber.filter
    reasons: tuple[tuple[int, Callable[[], str]], ...] = (
        (table.muted, lambda: "listed before its source was followed"),
        (judged.sent, lambda: "already sent"),
        (table.outdated, lambda: f"first seen more than {REACH.days} days ago"),
        (~judged.owed, lambda: "decided in an earlier issue"),
        (table.broken, lambda: f"quarantined: {dict(table.issue.quarantined)[paper.key]}"),
        (~judged.wanted, lambda: "in no topic followed, and no include matches"),
        (judged.excluded, lambda: _excluding(table, wants.exclude, place)),
        (judged.short, lambda: f"has {paper.item.upvotes} upvotes, fewer than {wants.min_upvotes}"),
    )
    return next(say() for papers, say in reasons if papers >> place & 1)
