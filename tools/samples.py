"""Sample letters made from the demo's listing, in a theme."""

import email
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from email import policy
from pathlib import Path

from newsletter.config import curated_topics
from newsletter.issue.composing import IssueMasks, compose_issue
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.letter.links import Keyring
from newsletter.letter.message import MessageBuilder
from newsletter.letter.message import build_note as message
from newsletter.letter.rendering import NOTES, render_issue, render_note
from newsletter.model import Filter, Issue, Paper, Publication, Reader, ReaderHistory, Subscriber
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.topics import match_issue
from newsletter.sources import huggingface
from newsletter.templates import load_note_templates, load_templates

ROOT = Path(__file__).parents[1]
THEMES = ("serif", "sans")

_LISTING = ROOT / "newsletter" / "data" / "demo" / "listing.json"
_TOPICS = ("Agents", "Mixture of Experts", "Reasoning", "Evaluation", "Robotics")
_DAY = date(2026, 8, 12)
_FROZEN = datetime(2026, 8, 12, 5, tzinfo=UTC)
_KEYS = Keyring(("the key of letters nobody gets",), "papers@example.org")
_PUBLICATION = Publication(
    name="Daily Papers",
    sender_name="Daily Papers",
    sender_email="papers@example.org",
    url="https://papers.example.org",
    postal_address="1 Example Street, 12345 Example",
    operator="editor@example.org",
)


_SITE = "https://papers.example.org"
_SIGNED = "Nw.tfk9kq.9mJx4vWcZy7dGm0H3f1uQk2RrT5bNsLqEoXaPzVwYiC"
SAID = {
    "confirm": f"{_SITE}/confirm/{_SIGNED}",
    "back": f"{_SITE}/confirm/{_SIGNED}",
    "preferences": f"{_SITE}/preferences/{_SIGNED}",
    "unsubscribe": f"{_SITE}/unsubscribe/{_SIGNED}",
    "hours": "48",
    "data": f"{_SITE}/preferences/{_SIGNED}#data",
    "choices": "Agents, Vision · every day at 07:00 (Europe/Zurich)",
    "subject": "The topics have changed",
    "body": "Vision has become three topics. Choose yours.",
    "email": "ada@example.org",
    "topics": "Vision, Sound & speech",
    "schedule": "every weekday at 07:30 (Europe/Zurich)",
    "contact": "editor@example.org",
    "headline": "Three letters are in doubt",
    "lines": "The server went away within the dot.\nNothing to mend: they are sent once more.",
}
"""The values for the placeholders of the short letters."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One letter as HTML, as text and as a message."""

    name: str
    html: str
    text: str
    message: bytes


def sample(theme: str, papers: int, cards: int = 12) -> Sample:
    """The letter of a reader who gets every paper of a day with this many papers."""
    issue = _issue(papers)
    ada = Subscriber("ada@example.org", name="Ada", filter=Filter(max_items=cards))
    history = ReaderHistory(Reader(1, ada, "confirmed", decided=0, origin="file"))
    fragments, _ = render_issue(issue, _PUBLICATION, load_templates(theme=theme))
    masks = IssueMasks(issue, match_issue(issue, [ada.filter], RulesMatcher()))
    edition = compose_edition(masks, history, EditionLimits(fragments.sizes, max_items=cards))
    builder = MessageBuilder(fragments, _KEYS)
    rendering = builder.render(edition)
    return Sample(
        name=f"{theme}-{papers}",
        html=rendering.html,
        text=rendering.text,
        message=b"".join(builder.build(edition).content),
    )


def short(theme: str, kind: str) -> Sample:
    """A short letter of this kind (:data:`newsletter.letter.NOTES`), read back from its bytes."""
    words = {word: SAID[word] for word in NOTES[kind]}
    rendering = render_note(kind, load_note_templates(kind, theme=theme), _PUBLICATION, words)
    envelope = message(_PUBLICATION, rendering, "ada@example.org", name="note.1", at=_FROZEN)
    content = b"".join(envelope.content)
    parts = email.message_from_bytes(content, policy=policy.default).iter_parts()
    text, html = (part.get_content() for part in parts)
    return Sample(name=f"{theme}-{kind}", html=html, text=text, message=content)


def _issue(count: int) -> Issue:
    listed = huggingface.parse(_LISTING.read_bytes(), "https://huggingface.co")
    papers = [
        Paper(n, f"sample:{n}", replace(listed[n % len(listed)], published=_DAY), _FROZEN, n)
        for n in range(1, count + 1)
    ]
    topics = [topic for topic in curated_topics() if topic.name in _TOPICS]
    return compose_issue(papers, topics, day=_DAY, cutoff=count, after=0, frozen_at=_FROZEN)
