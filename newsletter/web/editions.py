"""An edition as a page: every paper in full, nothing cut for a mail program's sake."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from newsletter.model import Edition, Issue, Paper, Placed, Summary
from newsletter.render import PaperView, paper_view


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper on a page.

    Attributes:
        key: its canonical key, which its own page is called by.
        view: what is shown of it.
        summary: its abstract, as long as wanted.
        because: why it is there; empty where that is not said.
    """

    key: str
    view: PaperView
    summary: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading with its papers."""

    name: str
    entries: tuple[Entry, ...]


def entry(paper: Paper, summary: Summary = "short", because: str = "") -> Entry:
    """A paper as it stands on a page."""
    view = paper_view(paper.item)
    return Entry(paper.key, view, view.summaries[summary], because)


def whole(issue: Issue, edition: Edition) -> tuple[Block, ...]:
    """A reader's edition without a cut: what the letter had as "N more" stands last."""
    summary = edition.summary
    blocks = [
        Block(section.name, tuple(_placed(issue, (*section.cards, *section.rows), summary)))
        for section in edition.sections
    ]
    if edition.more:
        rest = (Placed(place, "") for place in edition.more)
        blocks.append(Block("More", tuple(_placed(issue, rest, summary))))
    return tuple(blocks)


def _placed(issue: Issue, places: Iterable[Placed], summary: Summary) -> Iterator[Entry]:
    for placed in places:
        yield entry(issue.papers[placed.paper], summary, placed.because)
