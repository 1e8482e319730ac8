"""The newsletter's own templates: how letters look, and their bytes."""

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.letter.fragments import IssueFragments
from newsletter.letter.rendering import render_issue
from newsletter.model import TOP, Edition, Publication
from newsletter.templates import DEFAULT_THEME
from tests.support.demo_letter import (
    CORRECTED,
    FULL_EDITION,
    NO_SITE,
    PAPERS,
    THEMES,
    demo_fragments,
    shipped_templates,
)
from tests.support.factories import paper
from tests.support.hostile_inputs import check_message
from tests.support.html_outline import Outline
from tests.support.letters import (
    SITE,
    edition,
    issue,
    make_letter,
    message_bytes,
    parse_message,
    section,
    text_of_part,
)

WITH_LEADS = edition(
    replace(section(TOP, 0, 1, because="topic Reasoning: “reasoning”"), leads=True),
    section("Reasoning", 2, because="include “chain of thought”", rows=[3, 4]),
)


def html_of(cut: Edition, publication: Publication = SITE, theme: str = DEFAULT_THEME) -> str:
    return text_of_part(
        parse_message(message_bytes(make_letter(demo_fragments(publication, theme), cut)[1])),
        "html",
    )


# -- golden letters: read them when they change ----------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("name", "cut", "publication"),
    [
        ("whole", FULL_EDITION, SITE),
        ("led", WITH_LEADS, SITE),
        ("corrected", CORRECTED, SITE),
        ("no-site", FULL_EDITION, NO_SITE),
        ("quiet", replace(edition(left_out=5), popular=(0, 1)), SITE),
    ],
)
def test_letter_matches_its_golden_file(
    golden: Callable[[str, bytes], None],
    name: str,
    cut: Edition,
    publication: Publication,
    theme: str,
) -> None:
    rendering, envelope = make_letter(demo_fragments(publication, theme), cut)
    golden(f"{theme}/{name}.html", rendering.html.encode())
    golden(f"{theme}/{name}.txt", rendering.text.encode())
    golden(f"{theme}/{name}.eml", message_bytes(envelope))


# -- what readers see ------------------------------------------------------------------------


def test_headings_form_an_outline() -> None:
    outline = Outline(html_of(FULL_EDITION))
    assert [len(outline.all(f"h{level}")) for level in (1, 2, 3)] == [1, 2, 3]
    assert not outline.open
    (page,) = outline.all("html")
    assert (page["lang"], page["dir"]) == ("en", "ltr")
    assert len(outline.all("title")) == 1
    assert all(table["role"] == "presentation" for table in outline.all("table"))


def test_letter_is_the_main_landmark() -> None:
    (main,) = Outline(html_of(WITH_LEADS)).all("main")
    assert main["aria-label"] == "Daily Papers, Monday, 3 August 2026"
    assert not [
        tag
        for tag, marks in Outline(html_of(WITH_LEADS)).elements
        if marks.get("role") == "article"
    ]


def test_three_leads_have_longer_abstracts() -> None:
    html, short = html_of(WITH_LEADS), html_of(FULL_EDITION)
    top, _, topics = html.partition(">Reasoning</h2>")
    assert ">Top three</h2>" in top
    assert "The effect grows with the number of experts.<" in top
    assert "The effect grows" not in short
    assert html.count('class="lead"') == 2
    assert "Größere Sprachmodelle" in topics


def test_other_scripts_carry_language_and_direction() -> None:
    papers = (
        paper(1, "نماذج اللغة الكبيرة", abstract="ملخص قصير."),
        paper(2, "大规模语言模型综述", abstract="In English."),
    )
    fragments, _ = render_issue(issue(papers, "Reasoning"), SITE, shipped_templates())
    outline = Outline(make_letter(fragments, edition(section("Reasoning", 0, 1)))[0].html)
    titles = [(each["lang"], each["dir"]) for each in outline.all("h3")]
    assert titles == [("und-Arab", "rtl"), ("zh", "ltr")]
    summaries = [(p["lang"], p["dir"]) for p in outline.all("p") if p.get("lang")]
    assert summaries == [("und-Arab", "rtl")]


def test_each_title_stands_alone_in_its_element() -> None:
    titles = re.findall(r'<a[^>]* href="[^"]*/abs/\d">(.*?)</a>', html_of(FULL_EDITION))
    assert titles == [
        "Routing Without Regret: Sparse Experts at Constant Cost",
        "Does &lt;think&gt; Help? 7 &lt; 8 &amp; Other Inequalities of Reasoning",
        "Größere Sprachmodelle, kleinere Fehler",
        "A Survey of Surveys",
    ]


def test_letter_counts_what_is_in_it_and_omitted() -> None:
    html = html_of(FULL_EDITION)
    for said in (
        "Monday, 3 August 2026 · 5 papers · 1 minute to read · 23 others didn",
        '<b role="img" aria-label="87 upvotes">▲ 87</b> · Example Labs · ',
        "Ada Example, Bo Sample … El Modèle (5)",
        ">Code\N{NO-BREAK SPACE}★\N{NO-BREAK SPACE}1204</a>",
        ">Discuss\N{NO-BREAK SPACE}(12)</a>",
        '<span class="tag">chain of thought</span>',
        "+ 1 more in Reasoning</a>",
        "We could not read these lists yet: bioRxiv genomics",
        "ada@example.org is subscribed",
        "1 Example Street, Example",
    ):
        assert said in html


def test_cards_and_rows_have_no_style() -> None:
    """The head has the style once, so that more papers fit."""
    part = demo_fragments().html
    assert not [card for card in (*part.cards["short"], *part.rows) if "style=" in card]
    row = PAPERS[3].item
    assert len(part.rows[3]) - len(f"{row.title}{row.url}") < 40


def test_links_are_absolute_and_nothing_is_loaded() -> None:
    outline = Outline(html_of(FULL_EDITION))
    links = [link["href"] or "" for link in outline.all("a")]
    assert links
    assert all(re.match(r"https://[a-z]+\.example\.org/", link) for link in links)
    tags = {tag for tag, _ in outline.elements}
    assert not tags & {"img", "script", "form", "link", "iframe", "input", "video", "object"}
    assert not re.search(r"@import|url\(", html_of(FULL_EDITION))


def test_links_without_a_site_are_mails() -> None:
    html = html_of(FULL_EDITION, NO_SITE)
    own = [
        link["href"] or "" for link in Outline(html).all("a") if "mailto" in (link["href"] or "")
    ]
    verbs = [link.partition("?subject=")[2].partition("%20")[0] for link in own]
    assert verbs == ["preferences", "pause", "weekly", "unsubscribe"]
    assert "+ 1 more in Reasoning, in your next email" in html


def test_each_card_asks_whether_its_reader_likes_it() -> None:
    letter, _ = make_letter(demo_fragments(), FULL_EDITION)
    asked = re.findall(r'href="(\S+/edition/\S+)/(\d)" aria-label="Like\? ', letter.html)
    assert [number for _, number in asked] == ["1", "2", "3"]
    assert len({link for link, _ in asked}) == 1
    assert all(f"  Like?        {link}/{number}\n" in letter.text for link, number in asked)
    assert "Like?" not in html_of(FULL_EDITION, NO_SITE)


def test_cards_ask_nothing_where_words_alone_are_compared() -> None:
    made = issue(PAPERS[:1], "Reasoning")
    fragments, _ = render_issue(made, SITE, shipped_templates(), asks=False)
    letter, _ = make_letter(fragments, edition(section("Reasoning", 0)))
    assert "Like?" not in letter.html + letter.text


def test_letters_of_earlier_versions_ask_nothing() -> None:
    fragments = demo_fragments()
    stored = json.loads(zlib.decompress(fragments.dump()))
    for part in ("html", "text"):
        del stored[part]["likes"]
    loaded = IssueFragments.load(zlib.compress(json.dumps(stored).encode()))
    before, now = (make_letter(each, FULL_EDITION)[0] for each in (loaded, fragments))
    assert "Like?" not in before.html + before.text
    assert re.sub(r"<a [^>]*>Like\?</a> ", "", now.html) == before.html
    assert IssueFragments.load(fragments.dump()) == fragments


def test_letter_asks_for_a_reply_where_a_person_reads() -> None:
    person = replace(NO_SITE, bounces=None)
    rendering, _ = make_letter(demo_fragments(person, DEFAULT_THEME), FULL_EDITION)
    for words in (rendering.html, rendering.text.replace("\n", " ")):
        assert "To unsubscribe, to pause or to change your topics, reply to this email" in words
        assert re.findall(r"subject=(\w+)%20", words) == ["unsubscribe"]
    assert "reply to this email" not in html_of(FULL_EDITION, NO_SITE)


def test_preheader_is_short_and_not_the_title() -> None:
    for cut in (FULL_EDITION, edition(section("Other", 2)), edition()):
        (line,) = re.findall(r'<div style="display:none[^>]*>(.*?)</div>', html_of(cut))
        line, padding = line.rstrip("\u034f\u200c\u00a0"), len(line)
        assert padding - len(line) >= 200
        assert 40 <= len(line) <= 120
        assert PAPERS[0].item.title not in line


def test_text_part_keeps_to_78_columns_except_addresses() -> None:
    text = text_of_part(
        parse_message(message_bytes(make_letter(demo_fragments(), FULL_EDITION)[1])), "plain"
    )
    long = [line for line in text.splitlines() if len(line) > 78]
    assert all("https://" in line for line in long)
    assert not [line for line in text.splitlines() if line != line.rstrip()]


@pytest.mark.parametrize("theme", THEMES)
def test_colors_are_readable_in_light_and_dark(theme: str) -> None:
    html = html_of(FULL_EDITION, theme=theme)
    dark = html[html.index("prefers-color-scheme: dark") : html.index("[data-ogsb]")]
    (paper,) = set(re.findall(r"background-color:(#\w{6})", html.partition("<body")[2]))
    (dark_paper,) = re.findall(r"\.page { background-color: (#\w{6})", dark)
    inks = set(
        re.findall(
            r"[^-]color: ?(#\w{6})", html.partition("@media (prefers")[0].partition("h1, h2")[2]
        )
    )
    inks |= set(re.findall(r"[^-]color:(#\w{6})", html.partition("</div>")[2]))
    dark_inks = set(re.findall(r"[^-r]color: (#\w{6})", dark.partition(".button")[0]))
    assert len(inks) == len(dark_inks) == 3
    assert all(contrast(ink, paper) >= 4.5 for ink in inks)
    assert all(contrast(ink, dark_paper) >= 4.5 for ink in dark_inks)
    for name in ("color-scheme", "supported-color-schemes"):
        assert f'<meta name="{name}" content="light dark"' in html


def test_themes_differ_only_in_fonts_and_colors() -> None:
    serif, sans = (Outline(html_of(FULL_EDITION, theme=theme)) for theme in THEMES)
    assert [tag for tag, _ in serif.elements] == [tag for tag, _ in sans.elements]
    assert "Georgia" in html_of(FULL_EDITION)
    assert "Georgia" not in html_of(FULL_EDITION, theme="sans")


def test_no_text_is_smaller_than_14_pixels() -> None:
    sizes = [int(size) for size in re.findall(r"font-size:\s*(\d+)px", html_of(FULL_EDITION))]
    assert {size for size in sizes if size < 14} <= {0, 1}


def contrast(ink: str, paper: str) -> float:
    """The contrast ratio of WCAG 2.1."""
    lighter, darker = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# -- what machines see -----------------------------------------------------------------------


@pytest.mark.parametrize("cut", [FULL_EDITION, edition(), edition(section("Other", 2))])
def test_letter_bytes_are_valid(cut: Edition) -> None:
    check_message(message_bytes(make_letter(demo_fragments(), cut)[1]))
