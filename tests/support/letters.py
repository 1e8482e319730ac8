"""Functions that make the inputs of a letter, and templates small enough to read in a test."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from newsletter.letter.fragments import IssueFragments
from newsletter.letter.links import Keyring, Links, letter_links
from newsletter.letter.message import MessageBuilder
from newsletter.letter.rendering import LetterTemplates, render_issue
from newsletter.letter.views import FILTERS
from newsletter.model import (
    Edition,
    Envelope,
    Issue,
    Paper,
    Publication,
    Recipient,
    Rendering,
    Section,
    Summary,
    Topic,
)
from tests.support.factories import DAY, NOON, paper

KEYS = Keyring(("a key",), "papers@example.org")

SITE = Publication(
    name="Daily Papers",
    sender_name="Daily Papers",
    sender_email="papers@example.org",
    url="https://papers.example.org",
    postal_address="1 Example Street, Example",
    operator="editor@example.org",
    bounces="bounce@papers.example.org",
)

TINY_HTML = """\
{% block opening %}<html><p>{{ preheader }}</p><h1>{{ publication.name }}</h1>{% endblock %}
{% block papers %}<i>{{ n }} papers</i>{% endblock %}
{% block minutes %}<i>{{ n }} min</i>{% endblock %}
{% block left_out %}<i>{{ n }} out</i>{% endblock %}
{% block dateline_end %}<hr>{% endblock %}
{% block index %}<p>{{ index }}</p>{% endblock %}
{% block quiet %}quiet{% endblock %}
{% block unmatched %}<p>none of {{ n }}</p>{% endblock %}
{% block popular %}<p>most upvoted</p>{% endblock %}
{% block loosen %}<a href="{{ links.preferences }}">loosen</a>{% endblock %}
{% block masthead_end %}</head>{% endblock %}
{% block heading %}<h2>{{ name }}</h2>{% endblock %}
{% block card %}<h3><a href="{{ paper.url }}">{{ paper.title }}</a></h3>{{ paper.byline }}
{{ summary }}{% endblock %}
{% block because %}<p>because: {{ because }}</p>{% endblock %}
{% block card_end %}</card>{% endblock %}
{% block row %}<li>{{ paper.title }}</li>{% endblock %}
{% block more_in %}<b>{{ n }} more in {{ name }}</b>{% endblock %}
{% block closing %}</section>{% endblock %}
{% block more %}<a href="{{ links.edition }}">{{ n }} more</a>{% endblock %}
{% block corrections %}<h2>Corrections</h2>{% endblock %}
{% block correction %}<li>{{ correction.title }} was {{ correction.was }}</li>{% endblock %}
{% block corrections_end %}</section>{% endblock %}
{% block ending %}{{ missing | join }} {% endblock %}
{% block machine %}written by AI{% endblock %}
{% block foot %}{{ name }} {{ email }}
<a href="{{ links.unsubscribe }}">leave</a></html>{% endblock %}
"""

TINY_TEXT = TINY_HTML.replace("<", "[").replace(">", "]")

TINY_SUBJECT = (
    "{% if paper %}{{ paper.title | shorten(62) }}{% if more %} and {{ more }} more{% endif %}"
    "{% else %}{{ publication.name }}: nothing{% endif %}"
)


def template(source: str, *, autoescape: bool = False) -> jinja2.Template:
    """Compile one template."""
    made = SandboxedEnvironment(
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.DictLoader({"tiny": source}),
    )
    made.filters.update(FILTERS)
    return made.get_template("tiny")


def tiny_templates(
    html: str = TINY_HTML, text: str = TINY_TEXT, subject: str = TINY_SUBJECT
) -> LetterTemplates:
    """Templates that are small enough to read in a test."""
    return LetterTemplates(template(html, autoescape=True), template(text), template(subject))


def issue(papers: Sequence[Paper], *topics: str, day: date = DAY) -> Issue:
    """An issue of these papers."""
    return Issue(
        day=day,
        papers=tuple(papers),
        topics=tuple(Topic(name) for name in topics),
        cutoff=len(papers),
        frozen_at=NOON,
    )


ADA = Recipient(1, "ada@example.org", "Ada")
BOB = Recipient(2, "bob@example.org", "Ada")


def edition(
    *sections: Section,
    to: Recipient = ADA,
    more: Sequence[int] = (),
    left_out: int = 0,
    summary: Summary = "short",
) -> Edition:
    """An edition of these sections; for Ada unless ``to`` is another reader."""
    return Edition(
        to=replace(to, summary=summary),
        sections=sections,
        more=tuple(more),
        left_out=left_out,
    )


def section(name: str, *papers: int, because: str = "topic", rows: Sequence[int] = ()) -> Section:
    """A section with these papers as cards and rows, all for one reason."""
    return Section(
        name,
        papers,
        tuple(rows),
        because=(because,) * (len(papers) + len(rows)),
    )


def links_to(publication: Publication = SITE, to: Recipient = ADA) -> Links:
    """The links in the letter of this recipient."""
    return letter_links(publication, KEYS, DAY, to.id)


def make_fragments(
    *papers: Paper, publication: Publication = SITE, templates: LetterTemplates | None = None
) -> IssueFragments:
    """The fragments of an issue of these papers, or of two plain ones, in the topic Reasoning."""
    chosen = papers or (paper(1, "First"), paper(2, "Second"))
    fragments, quarantined = render_issue(
        issue(chosen, "Reasoning"), publication, templates or tiny_templates()
    )
    assert quarantined == ()
    return fragments


def make_letter(fragments: IssueFragments, edition: Edition) -> tuple[Rendering, Envelope]:
    """Render one letter; return the rendering and the envelope."""
    builder = MessageBuilder(fragments, KEYS)
    return builder.render(edition), builder.build(edition)


def message_bytes(envelope: Envelope) -> bytes:
    """The message's bytes."""
    return b"".join(envelope.content)


def parse_message(message: bytes) -> EmailMessage:
    """The message, parsed by Python's own parser."""
    made = message_from_bytes(message, policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def text_of_part(message: EmailMessage, kind: str) -> str:
    """The text of one part, with LF as line end."""
    body = message.get_body((kind,))
    assert body is not None
    text = body.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")
