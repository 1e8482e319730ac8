"""Notes: the short letters about a subscription."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from markupsafe import escape

from newsletter.errors import RenderError, TemplateError
from newsletter.letter.rendering import NOTES, render_note
from newsletter.model import Rendering
from newsletter.templates import load_note_templates
from tests.support.demo_letter import THEMES
from tests.support.html_outline import Outline
from tests.support.letters import SITE

WORDS = {
    "confirm": "https://papers.example.org/confirm/a-token?a=1&b=2",
    "back": "https://papers.example.org/confirm/another-token",
    "hours": "48",
    "choices": "Vision, Code · every day at 07:00 (UTC)",
    "data": "https://papers.example.org/preferences/another-token#data",
    "subject": "The topics have changed",
    "body": "Vision has become three topics. Choose yours.",
    "email": "ada@example.org",
    "topics": "Vision, Sound & speech",
    "preferences": "https://papers.example.org/preferences/a-token",
    "unsubscribe": "https://papers.example.org/unsubscribe/a-token",
    "schedule": "every Friday at 07:00 (Europe/Zurich)",
    "contact": "editor@example.org",
    "headline": "Three letters are in doubt",
    "lines": "The server went away within the dot.\nNothing to mend: they are sent once more.",
}


def written(kind: str, theme: str = "serif") -> Rendering:
    return render_note(kind, load_note_templates(kind, theme=theme), SITE, WORDS)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", NOTES)
def test_note_matches_its_golden_file(
    golden: Callable[[str, bytes], None], kind: str, theme: str
) -> None:
    made = written(kind, theme)
    golden(f"{theme}/{kind}.html", made.html.encode())
    golden(f"{theme}/{kind}.txt", "".join((*made.subject, "\n\n", made.text)).encode())


@pytest.mark.parametrize("kind", NOTES)
def test_both_parts_of_a_note_say_everything(kind: str) -> None:
    made = written(kind)
    html, text = Outline(made.html), made.text
    links = [link["href"] for link in html.all("a")]
    for said in (line for word in NOTES[kind] for line in WORDS[word].splitlines()):
        assert said in text
        assert said in links or str(escape(said)) in made.html
    assert not html.open
    assert [len(html.all(tag)) for tag in ("h1", "title", "img", "script", "link")] == [
        1,
        1,
        0,
        0,
        0,
    ]
    assert not [line for line in text.splitlines() if len(line) > 78]
    assert not re.search(r"@import|url\(", made.html)


def test_confirmation_contains_nothing_typed_by_a_stranger() -> None:
    assert set(NOTES["confirm"]) == {"confirm", "hours", "choices"}


def test_missing_word_is_named() -> None:
    with pytest.raises(RenderError, match="welcome needs: preferences, unsubscribe"):
        render_note("welcome", load_note_templates("welcome"), SITE, {"email": "ada@example.org"})


def test_word_cannot_break_out_of_its_place() -> None:
    words = {**WORDS, "email": '"><script>alert(1)</script>\r\nBcc: eve@example.org'}
    made = render_note("welcome", load_note_templates("welcome"), SITE, words)
    assert "<script" not in made.html
    assert len(made.subject) == 1
    assert "\n" not in made.subject[0]


def test_faulty_note_is_found_when_loaded(tmp_path: Path) -> None:
    (tmp_path / "welcome.txt").write_text("Welcome,\n{{ publication.nmae }}")
    with pytest.raises(TemplateError, match="nmae") as caught:
        load_note_templates("welcome", tmp_path)
    assert (caught.value.file, caught.value.line) == ("welcome.txt", 2)
    (tmp_path / "welcome.txt").write_text("Welcome,\n{{ because }}")
    with pytest.raises(TemplateError, match="no variable 'because'"):
        load_note_templates("welcome", tmp_path)
