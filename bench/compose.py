"""The time to compose letters, interleaved with the obvious way.

``python -m bench.compose [--readers N] [--papers N] [--json FILE]``

*compile* loads the fragments of one issue and encodes every shared one; *compose* makes one
reader's letter, from its links to its bytes. The obvious way renders Jinja to MJML, MJML to HTML
and an ``EmailMessage`` for each reader; it is measured on a sample of readers.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import TypeVar

import jinja2
import mjml

from bench.workload import DAY, Morning, filters, histories, morning
from newsletter.issue.composing import IssueMasks
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.letter.links import Keyring, Links, letter_links
from newsletter.letter.message import MessageBuilder
from newsletter.letter.rendering import LetterTemplates, render_issue
from newsletter.letter.views import PaperView, paper_view
from newsletter.model import Edition, Envelope, Publication
from newsletter.papers import topics
from newsletter.papers.matching import RulesMatcher
from newsletter.templates import HTML, TEXT, find_folders, load_templates, make_environment

T = TypeVar("T")

KEYS = Keyring(("a secret of the benchmark",), "papers@example.org")
PUBLICATION = Publication(
    name="Daily Papers",
    sender_name="Daily Papers",
    sender_email="papers@example.org",
    url="https://papers.example.org",
    postal_address="1 Example Street, Example",
)
ROUNDS = 5
OBVIOUS_A_ROUND = 6

OBVIOUS_HTML = """\
<mjml><mj-head><mj-title>{{ publication.name }}</mj-title></mj-head><mj-body>
<mj-section><mj-column><mj-text><h1>{{ publication.name }}</h1></mj-text></mj-column></mj-section>
{% for name, papers in sections %}<mj-section><mj-column><mj-text><h2>{{ name }}</h2></mj-text>
{% for paper, because in papers %}<mj-text><h3><a href="{{ paper.url }}">{{ paper.title }}</a></h3>
<p>{{ paper.byline }}</p><p>{{ paper.summaries.short }}</p><p>because: {{ because }}</p></mj-text>
{% endfor %}</mj-column></mj-section>{% endfor %}
<mj-section><mj-column><mj-text><p>{{ email }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></p>
</mj-text></mj-column></mj-section></mj-body></mjml>"""

OBVIOUS_TEXT = """\
{{ publication.name }}
{% for name, papers in sections %}{{ name }}
{% for paper, because in papers %}{{ paper.title }}
{{ paper.byline }}
{{ paper.summaries.short }}
because: {{ because }}
{% endfor %}{% endfor %}{{ email }} {{ links.unsubscribe }}"""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures; times are medians of CPU time over the rounds."""

    readers: int
    papers: int
    compile_ms: float
    compose_us: float
    obvious_us: float
    bytes_of_last: int
    peak_mb: float

    @property
    def ratio(self) -> float:
        """The cost of the obvious way divided by ours."""
        return self.obvious_us / self.compose_us


def measure(papers: int, readers: int) -> Figures:
    """Run the rounds: each compiles the issue, makes all letters, and a sample the obvious way."""
    day, templates = morning(papers, readers), load_templates()
    editions = list(editions_of(day, templates))
    compiled, composed, obvious = [], [], []
    views = [paper_view(paper.item) for paper in day.issue.papers]
    for number in range(ROUNDS):
        seconds, builder = _timed(partial(_compile, day, templates))
        compiled.append(seconds)
        seconds, last = _timed(partial(_compose, builder, editions))
        composed.append(seconds / len(editions))
        sample = editions[number * OBVIOUS_A_ROUND :][:OBVIOUS_A_ROUND]
        seconds, _ = _timed(partial(_obvious, sample, views))
        obvious.append(seconds / len(sample))
    return Figures(
        readers=len(editions),
        papers=papers,
        compile_ms=statistics.median(compiled) * 1e3,
        compose_us=statistics.median(composed) * 1e6,
        obvious_us=statistics.median(obvious) * 1e6,
        bytes_of_last=sum(map(len, last.content)),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def editions_of(day: Morning, templates: LetterTemplates) -> Iterator[Edition]:
    """An edition for each reader who gets a paper."""
    matching = topics.match_issue(day.issue, filters(day.readers), RulesMatcher())
    fragments, _ = render_issue(day.issue, PUBLICATION, templates)
    table, limits = IssueMasks(day.issue, matching), EditionLimits(fragments.sizes, max_items=60)
    for history in histories(day.readers):
        made = compose_edition(table, history, limits)
        if made.papers:
            yield made


def _compile(day: Morning, templates: LetterTemplates) -> MessageBuilder:
    fragments, quarantined = render_issue(day.issue, PUBLICATION, templates)
    assert not quarantined
    return MessageBuilder(fragments, KEYS)


def _compose(builder: MessageBuilder, editions: Sequence[Edition]) -> Envelope:
    """Build every letter, keeping only the last one, which is returned."""
    for edition in editions:
        envelope = builder.build(edition)
    return envelope


def links_of(edition: Edition) -> Links:
    """The links in one reader's letter."""
    return letter_links(PUBLICATION, KEYS, DAY, edition.to.id)


def _obvious(editions: Sequence[Edition], views: Sequence[PaperView]) -> int:
    return sum(len(letter.as_bytes()) for letter in obvious_letters(editions, views))


def obvious_letters(
    editions: Sequence[Edition], views: Sequence[PaperView]
) -> Iterator[EmailMessage]:
    """Yield every letter, rendered from the templates."""
    where = find_folders()
    sources = {HTML: OBVIOUS_HTML, TEXT: OBVIOUS_TEXT}
    html, text = (
        make_environment(where, sources, autoescape=name == HTML).get_template(name)
        for name in (HTML, TEXT)
    )
    for edition in editions:
        yield _obvious_letter(edition, views, html, text)


def _obvious_letter(
    edition: Edition, views: Sequence[PaperView], html: jinja2.Template, text: jinja2.Template
) -> EmailMessage:
    to = edition.to
    context = {
        "publication": PUBLICATION,
        "email": to.email,
        "links": links_of(edition),
        "sections": [
            (
                section.name,
                [
                    (views[p], because)
                    for p, because in zip(section.cards, section.because, strict=False)
                ],
            )
            for section in edition.sections
        ],
    }
    message = EmailMessage()
    message["From"], message["To"] = PUBLICATION.sender_email, to.email
    message["Subject"] = views[edition.papers[0]].title
    message.set_content(text.render(context), cte="quoted-printable")
    page = mjml.mjml2html(html.render(context), fonts={})
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    return message


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def table(figures: Figures) -> str:
    """The lines of the table."""
    rows = (
        ("compile an issue", f"{figures.compile_ms:.0f} ms", "<= 150 ms"),
        ("compose a letter", f"{figures.compose_us:.0f} us", "<= 100 us"),
        ("the obvious way", f"{figures.obvious_us:.0f} us", ""),
        ("obvious / ours", f"{figures.ratio:.0f} x", ""),
        ("bytes of the last", f"{figures.bytes_of_last}", ""),
        ("peak memory", f"{figures.peak_mb:.0f} MB", "<= 150 MB"),
    )
    head = f"{figures.readers} letters of {figures.papers} papers, CPU, medians of {ROUNDS} rounds"
    return "\n".join([head, *(f"{name:<20}{value:>12}   {goal}" for name, value, goal in rows)])


def main() -> None:
    """Measure, print the table, and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--papers", type=int, default=200)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    figures = measure(asked.papers, asked.readers)
    print(table(figures))
    if asked.json:
        asked.json.write_text(json.dumps(asdict(figures) | {"ratio": figures.ratio}, indent=2))


if __name__ == "__main__":
    main()
