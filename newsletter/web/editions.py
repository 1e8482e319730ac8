"""An edition as a page: every paper in full, nothing cut for a mail program's sake."""

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.letter.views import PaperView, paper_view
from newsletter.model import Edition, Issue, Paper, Summary


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
        _block(section.name, issue, section.papers, section.because, summary)
        for section in edition.sections
    ]
    if edition.more:
        blocks.append(_block("More", issue, edition.more, ("",) * len(edition.more), summary))
    return tuple(blocks)


def _block(
    name: str, issue: Issue, papers: Sequence[int], because: Sequence[str], summary: Summary
) -> Block:
    placed = zip(papers, because, strict=True)
    return Block(name, tuple(entry(issue.papers[at], summary, why) for at, why in placed))
