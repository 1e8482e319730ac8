"""Markdown as both parts of an email, and who a note is for."""

from datetime import timedelta

import pytest

from newsletter.errors import UsageError
from newsletter.letter.markdown import html_of, text_of
from newsletter.letter.message import BroadcastBuilder
from newsletter.model import Filter, Recipient, Status
from newsletter.preview.letter import parse_letter
from newsletter.preview.lint import lint
from newsletter.publisher.broadcasting import find_audience, write_broadcast
from newsletter.templates import load_note_templates
from tests.support.databases import temporary_store
from tests.support.demo_letter import THEMES
from tests.support.factories import DAY, NOON, subscriber
from tests.support.publishers import publisher_over

NOTE = """# What is new

Vision has become **three** topics. Choose yours, or keep what you have: nothing is lost by waiting.

1. First, `code`
2. Second, which is described at such a length that its line has to be broken somewhere

> Quoted, with [a link](https://example.org/a?b=1&c=2).

```
pre <b>formatted</b>
```
"""


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        'a <b onclick="x()">b</b> <img src=x onerror=y>',
        "<!-- comment --><style>p{}</style>",
        "[a](javascript:alert(1))",
        "[a](<javascript:alert(1)>)",
        "`<script>`",
    ],
)
def test_html_is_shown_as_it_was_typed(source: str) -> None:
    made = html_of(source, "note.md")
    for tag in ("<script", "<b", "<img", "<style", "<!--", "href"):
        assert tag not in made


@pytest.mark.parametrize("to", ["/join", "#top", "topics.html", "ftp://example.org/a", "//e.org"])
def test_link_without_a_site_is_named(to: str) -> None:
    with pytest.raises(UsageError, match=r"note\.md:3: an email cannot follow the link"):
        html_of(f"One.\n\nTwo [a]({to}).", "note.md")


def test_picture_is_named() -> None:
    with pytest.raises(UsageError, match=r"note\.md:1: emails show no pictures"):
        html_of("![a](https://example.org/a.png)", "note.md")


def test_text_keeps_markdown_within_its_width() -> None:
    lines = text_of(NOTE).splitlines()
    assert max(map(len, lines)) <= 78
    assert "   somewhere" in lines
    assert "pre <b>formatted</b>" in lines


def test_placeholder_cannot_be_typed() -> None:
    forged = "\ue000unsubscribe\ue001"
    assert "\ue000" not in html_of(forged, "note.md") + text_of(forged)


@pytest.mark.parametrize("theme", THEMES)
def test_note_passes_the_checks_of_letters(theme: str) -> None:
    publisher, templates = (
        publisher_over(temporary_store()),
        load_note_templates("broadcast", theme=theme),
    )
    note = write_broadcast(publisher, templates, subject="News", source=NOTE, file="note.md")
    content = b"".join(
        BroadcastBuilder(note, publisher.keyring).build(Recipient(1, "a@e.org")).content
    )
    assert [each for each in lint(parse_letter(content)) if each.severity == "wrong"] == []


def test_note_is_for_confirmed_readers_also_paused() -> None:
    store = temporary_store()
    people: tuple[tuple[str, Status, dict[str, object]], ...] = (
        ("ada", "confirmed", {"filter": Filter(topics=("Vision",))}),
        ("bob", "confirmed", {"paused_until": DAY + timedelta(days=9)}),
        ("cleo", "unsubscribed", {}),
        ("dan", "unconfirmed", {}),
        ("eve", "confirmed", {"filter": Filter(topics=("Alchemy",))}),
    )
    ids = {
        name: store.save_reader(subscriber(f"{name}@e.org", **wants), status=status, now=NOON).id
        for name, status, wants in people
    }
    publisher = publisher_over(store)
    assert [*find_audience(publisher, "k").readers] == [ids["ada"], ids["bob"], ids["eve"]]
    assert [*find_audience(publisher, "k", ["Vision"]).readers] == [ids["ada"]]
    assert [*find_audience(publisher, "k", ["Alchemy"]).readers] == [ids["eve"]]
