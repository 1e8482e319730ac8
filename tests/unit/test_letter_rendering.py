"""Rendering of issues and editions."""

import json
import re
import zlib
from dataclasses import fields, replace
from datetime import date
from typing import Any, get_args

import pytest

from newsletter.errors import TemplateError
from newsletter.letter.assembling import LetterAssembler, render_letter
from newsletter.letter.compiling import READABLE, CompiledIssue, Encoding, links_by_place
from newsletter.letter.fragments import MAX_REASON_BYTES, IssueFragments, placeholder
from newsletter.letter.rendering import render_issue
from newsletter.letter.views import (
    FULL_LIMIT,
    TITLE_LIMIT,
    Fact,
    Link,
    PaperView,
    longdate,
    paper_view,
    printable,
    wrap,
)
from newsletter.model import (
    BY_FILTER,
    BY_FILTER_BEFORE,
    TOP,
    Correction,
    Publication,
    Section,
    Summary,
)
from newsletter.templates.compiling import _sample_issue
from newsletter.text.gist import LONGEST
from tests.support.factories import DAY, item, paper
from tests.support.hostile_inputs import paper_of
from tests.support.letters import (
    ADA,
    BOB,
    SITE,
    TINY_HTML,
    TINY_SUBJECT,
    TINY_TEXT,
    edition,
    issue,
    links_to,
    make_fragments,
    section,
    tiny_templates,
)

NO_SITE = Publication("Papers", "Papers", "papers@example.org")
ABSTRACT = "One thing is said. Another follows. A third one ends it."


def html_of(fragments: IssueFragments, **cut: object) -> str:
    made = edition(section("Reasoning", 0), **cut)  # type: ignore[arg-type]
    return render_letter(fragments, made, links_to(fragments.publication)).html


def test_date_is_written_in_full() -> None:
    assert longdate(date(2026, 8, 3)) == "Monday, 3 August 2026"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), (" a ", "a"), ("a\x00b\ud800", "ab"), ("\ue000email\ue001", "email")],
)
def test_unprintable_characters_are_dropped(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_text_wraps_between_words() -> None:
    assert wrap("aa bb cc", "  ", 7) == "aa bb\n  cc"
    assert wrap("a https://example.org/long b", "", 6) == "a\nhttps://example.org/long\nb"
    assert wrap("") == ""


def test_view_omits_unknown_facts() -> None:
    bare = paper_view(item(" ", url="javascript:alert(1)"))
    assert (bare.title, bare.url, bare.byline, bare.facts, bare.links) == (
        "Untitled",
        None,
        "",
        (),
        (),
    )


def test_view_cuts_every_text_to_its_limit() -> None:
    view = paper_view(paper_of("word " * 20_000).item)
    assert len(repr(view)) < TITLE_LIMIT + FULL_LIMIT + 3 * LONGEST + 1500


def test_templates_are_tried_with_everything_a_paper_may_have() -> None:
    full = paper_view(_sample_issue().papers[0].item)
    for field in fields(PaperView):
        assert getattr(full, field.name), f"data/sample_papers.json gives no {field.name}"


def test_view_shows_known_facts() -> None:
    view = paper_view(
        item(
            "A title",
            abstract=ABSTRACT,
            url="https://a.org/1",
            pdf="https://a.org/1.pdf",
            code="https://a.org/code",
            code_stars=12,
            project="https://a.org/p",
            discussion="https://a.org/d",
            authors=("A", "B", "C", "D"),
            author_count=9,
            organization="Labs",
            published=date(2026, 8, 3),
            upvotes=5,
            comments=2,
            withdrawn=True,
        ),
        source="arXiv cs.CL",
    )
    assert view.byline == "Labs · A, B, C … (9) · arXiv cs.CL · 3 August 2026"
    assert view.facts == (Fact("Withdrawn"), Fact("▲ 5", "5 upvotes"))
    labels = [link.label for link in view.links]
    assert labels == ["PDF", "Code ★ 12", "Project", "Discuss (2)"]
    assert view.summaries == {
        "short": "One thing is said. Another follows.",
        "brief": "One thing is said. Another follows.",
        "full": ABSTRACT,
        "titles": "",
        "lead": ABSTRACT,
    }


def test_small_counts_are_not_shown() -> None:
    few = item("A", upvotes=0, comments=1, code="https://a.org/c", code_stars=9)
    view = paper_view(replace(few, discussion="https://a.org/d"))
    assert view.facts == ()
    assert [link.label for link in view.links] == ["Code", "Discuss"]


def test_upvotes_are_said_in_words() -> None:
    assert paper_view(item(upvotes=1)).facts == (Fact("▲ 1", "1 upvote"),)


def test_view_links_a_preprint_and_its_article() -> None:
    view = paper_view(item(ids=("2611.00001", "10.1234/x"), url="https://arxiv.org/abs/2611.00001"))
    assert [link.label for link in view.links] == ["Also at"]


def test_card_names_the_homes_of_its_copies() -> None:
    homes = ("https://www.nature.com/articles/x", "https://www.medrxiv.org/content/1", "data:x")
    view = paper_view(item(url="https://arxiv.org/abs/2611.00001", homes=homes))
    assert [link.label for link in view.links] == ["Also at nature.com", "Also at medRxiv"]


def test_card_has_a_visible_link() -> None:
    assert paper_view(item(url="https://a.org/1")).links == (Link("Paper", "https://a.org/1"),)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"published": date(2026, 8, 4)}, ""),
        ({"published": date(2026, 8, 3)}, "3 August"),
        ({"published": date(2025, 12, 3)}, "3 December 2025"),
        ({"published": date(2026, 9, 1)}, ""),
        ({"published_month": date(2026, 8, 1)}, ""),
        ({"published_month": date(2026, 7, 1)}, "July"),
        ({"published_month": date(2026, 6, 1)}, "June"),
        ({"published_month": date(2025, 6, 1)}, "June 2025"),
        ({"published": date(2026, 8, 3), "listed": date(2026, 8, 14)}, "listed 14 August"),
        ({}, ""),
    ],
)
def test_only_old_papers_show_their_date(known: dict[str, Any], said: str) -> None:
    assert paper_view(item(**known), date(2026, 8, 18)).byline == said


def test_papers_of_several_sources_name_them() -> None:
    papers = [paper(n, f"Title {n}", sources=(f"Source {n}", "Third")) for n in (1, 2)]
    for chosen, shown in ((papers, True), (papers[:1], False)):
        html = html_of(make_fragments(*chosen))
        assert ("Source 1" in html) is shown
        assert "Third" not in html


@pytest.mark.parametrize("abstract", ["", "Short.", ABSTRACT, "word " * 100])
def test_preheader_has_40_to_110_characters(abstract: str) -> None:
    line = paper_view(item("A", abstract=abstract)).preheader(longdate(date(2026, 5, 3)))
    assert 40 <= len(line) <= 110


def test_fragments_round_trip_through_storage() -> None:
    fragments = make_fragments()
    assert IssueFragments.load(fragments.dump()) == fragments
    stored = json.loads(zlib.decompress(fragments.dump()))
    assert stored["subjects"][0][1][1] == "more"
    assert {"email", "unsubscribe"} <= set(stored["html"]["frame"]["foot"][1::2])


def test_edition_renders_cards_rows_and_more() -> None:
    fragments = make_fragments(
        *(paper(n, f"Title {n} & co", abstract=ABSTRACT) for n in range(1, 5))
    )
    cut = edition(section("Reasoning", 0, rows=[1]), more=(2, 3), left_out=7)
    rendering = render_letter(fragments, cut, links_to())
    html = rendering.html
    assert '<h3><a href="None">Title 1 &amp; co</a></h3>' in html
    assert "<li>Title 2 &amp; co</li>" in html
    assert "Title 3" not in html.partition("<h1>")[2]
    for said in ("4 papers", "1 min", "7 out", "2 more", "Ada ada@example.org"):
        assert said in html
    assert "".join(rendering.subject) == "Title 1 & co and 3 more"
    assert "[li]Title 2 & co[/li]" in rendering.text


def test_letter_ends_with_the_readers_corrections() -> None:
    corrections = (Correction(1, 1, "Old & new", "Old"), Correction(2, 2, "Gone"))
    made = replace(issue([paper(1), paper(2)]), corrections=corrections)
    fragments, _ = render_issue(made, SITE, tiny_templates())
    told = replace(edition(section("Other", 0)), corrections=(0,))
    html = render_letter(IssueFragments.load(fragments.dump()), told, links_to()).html
    end = html[html.index("<h2>Corrections") :]
    assert end.startswith("<h2>Corrections</h2><li>Old &amp; new was Old</li></section>")
    assert "Gone" not in html
    assert fragments.sizes.corrections_frame == len("<h2>Corrections</h2></section>")


def test_zero_counts_are_omitted() -> None:
    html = html_of(make_fragments())
    assert "1 papers" in html
    for unsaid in ("out</i>", "more</a>", "quiet"):
        assert unsaid not in html


def test_day_without_papers_is_one_line() -> None:
    rendering = render_letter(make_fragments(), edition(), links_to())
    assert "quiet" in rendering.html
    assert " papers</i>" not in rendering.html
    assert "min</i>" not in rendering.html
    assert rendering.subject == ("Daily Papers: nothing",)


@pytest.mark.parametrize(("popular", "named"), [((1, 0), ["Second", "First"]), ((), [])])
def test_letter_without_matches_names_the_most_upvoted(
    popular: tuple[int, ...], named: list[str]
) -> None:
    empty = replace(edition(left_out=2), popular=popular)
    html = render_letter(make_fragments(), empty, links_to()).html
    assert re.findall("<li>(.*?)</li>", html) == named
    assert f"none of 2</p>{'<p>most upvoted</p>' * bool(named)}" in html
    assert f'<a href="{links_to().preferences}">loosen</a></head>' in html
    line = "None of the 2 new papers matched. The most upvoted: Second"
    assert (line in html) == bool(named)


def test_index_counts_the_papers_of_each_topic() -> None:
    followed = replace(ADA, topics=("Speech", "Reasoning", "Gone", "Vision"))
    made = edition(
        replace(section(TOP, 0, because="topic Vision: “eye”"), leads=True),
        replace(section("Reasoning", 1, rows=[2]), more=2),
        section("Vision", 3),
        section(BY_FILTER, 4),
        to=followed,
        more=(5, 6),
    )
    papers = [paper(n) for n in range(1, 8)]
    made_issue = issue(papers, "Vision", "Reasoning", "Speech")
    fragments, _ = render_issue(made_issue, SITE, tiny_templates())
    rendering = render_letter(fragments, made, links_to())
    said = "Reasoning 4 · Vision 2 · Your interests 1 · Speech none today"
    assert f"<p>{said}</p>" in rendering.html.replace("\N{NO-BREAK SPACE}", " ")
    assert f"[p]{said}[/p]" in rendering.text
    alone = edition(section("Reasoning", 1), to=replace(ADA, topics=("Reasoning",)))
    assert "<p></p>" not in render_letter(fragments, alone, links_to()).html


def test_weekly_letter_names_its_week() -> None:
    html = TINY_HTML.replace(
        "<hr>", "{% if weekly %}{{ day | week }}{% else %}{{ day }}{% endif %}"
    )
    subject = "{% if weekly %}Week of {{ day | week }}: {% endif %}" + TINY_SUBJECT
    fragments = IssueFragments.load(
        make_fragments(templates=tiny_templates(html, subject=subject)).dump()
    )
    weekly, daily = (
        render_letter(fragments, edition(section("Reasoning", 0, 1), to=to), links_to())
        for to in (replace(ADA, cadence="weekly", day=DAY.weekday()), ADA)
    )
    assert "28 July – 3 August" in weekly.html  # noqa: RUF001 - a range
    assert "".join(weekly.subject) == "Week of 28 July – 3 August: First and 1 more"  # noqa: RUF001
    assert "2026-08-03" in daily.html
    assert "".join(daily.subject) == "First and 1 more"


def test_single_paper_is_the_whole_subject() -> None:
    rendering = render_letter(make_fragments(), edition(section("Reasoning", 1)), links_to())
    assert "".join(rendering.subject) == "Second"


def test_preheader_differs_from_the_title() -> None:
    papers = (paper(1, "First", abstract=ABSTRACT), paper(2, "Second", abstract=ABSTRACT))
    assert "<p>One thing is said. Another follows.</p>" not in html_of(make_fragments(*papers))
    assert "<p>One thing is said. Another follows. — one of the" in html_of(make_fragments(*papers))
    both = edition(section("Reasoning", 0, 1))
    rendering = render_letter(make_fragments(*papers), both, links_to())
    assert "".join(rendering.subject) == "First and 1 more"
    assert "<p>Second — One thing is said. Another follows. — one of the papers" in rendering.html


def test_earlier_fragments_keep_their_lines() -> None:
    """A letter that is sent again after an upgrade must have the same bytes."""
    stored = replace(
        make_fragments(),
        subjects=((("First",), ("First and ", placeholder("more"), " more")),) * 2,
        preheaders=(("About the first.", "Also: First"), ("About the second.", "Also: Second")),
        names=(),
    )
    fragments = IssueFragments.load(stored.dump())
    both, one = (edition(section("Reasoning", *papers)) for papers in ([0, 1], [0]))
    rendering = render_letter(fragments, both, links_to())
    assert "".join(rendering.subject) == "First and 1 more"
    assert "<p>Also: Second</p>" in rendering.html
    assert "<p>About the first.</p>" in render_letter(fragments, one, links_to()).html


def test_earlier_fragments_count_what_is_left_once() -> None:
    fragments = make_fragments()
    earlier = replace(
        fragments,
        html=replace(fragments.html, more_in={}),
        text=replace(fragments.text, more_in={}),
    )
    loaded = IssueFragments.load(earlier.dump())
    counted = edition(replace(section("Reasoning", 0), more=1), more=[1])
    html = render_letter(loaded, counted, links_to()).html
    assert ("1 more</a>" in html, "more in" in html) == (True, False)
    assert loaded.sizes.more_in["Reasoning"] == 0
    html = render_letter(fragments, counted, links_to()).html
    assert ("1 more</a>" in html, "1 more in Reasoning" in html) == (False, True)


def test_minutes_to_read_count_titles() -> None:
    fragments = make_fragments(*(paper(n, "Twenty two words " * 7 + "now") for n in range(30)))
    html = render_letter(fragments, edition(section("Other", rows=range(30))), links_to()).html
    assert "3 min" in html


@pytest.mark.parametrize("summary", get_args(Summary))
def test_readers_get_their_summary_length(summary: Summary) -> None:
    html = html_of(make_fragments(paper(1, abstract=ABSTRACT)), summary=summary)
    expected = {"full": (True, True), "titles": (False, False)}.get(summary, (True, False))
    card = html[html.index("<h3>") :]
    assert ("Another follows." in card, "A third one" in card) == expected


OWN = "A model learns by a machine's account."


def test_brief_card_has_the_sources_own_sentence() -> None:
    papers = [paper(1, abstract=ABSTRACT, brief=OWN), paper(2, "Second", abstract=ABSTRACT)]
    told = edition(section("Reasoning", 0, 1), summary="brief")
    stored = make_fragments(*papers).dump()
    letter = render_letter(IssueFragments.load(stored), told, links_to())
    for part in (letter.html.replace("&#39;", "'"), letter.text):
        assert [part.count(text) for text in (OWN, "written by AI")] == [1, 1]
        assert "Second\nOne thing is said." in part.replace("</a></h3>", "").replace(
            "[/a][/h3]", ""
        )


@pytest.mark.parametrize(
    ("summary", "shown"),
    [
        ("short", section("Reasoning", 0)),
        ("brief", section("Reasoning", 1)),
        ("brief", section("Reasoning", 1, rows=(0,))),
        ("brief", replace(section("Top three", 0), leads=True)),
    ],
)
def test_foot_is_silent_where_no_machine_wrote(summary: Summary, shown: Section) -> None:
    papers = [paper(1, abstract=ABSTRACT, brief=OWN), paper(2, abstract=ABSTRACT)]
    letter = render_letter(make_fragments(*papers), edition(shown, summary=summary), links_to())
    assert "written by AI" not in letter.html + letter.text


@pytest.mark.parametrize("brief", ["word " * 120, "", "\ud800"])
def test_a_sentence_that_cannot_be_shown_is_none(brief: str) -> None:
    view = paper_view(item("A", abstract=ABSTRACT, brief=brief))
    assert (view.brief, view.summaries["brief"]) == ("", view.summaries["short"])


def test_fragments_of_earlier_versions_lack_the_brief_length() -> None:
    fragments = make_fragments(paper(1, abstract=ABSTRACT))
    stored = json.loads(zlib.decompress(fragments.dump()))
    assert "brief" not in [*stored["lengths"], *stored["words"]]
    del stored["machine_written"]
    for part in ("html", "text"):
        frame = stored[part]["frame"]
        foot = frame.pop("foot")
        frame["ending"] = [frame["ending"][0] + foot[0], *foot[1:]]
        del frame["machine"]
    loaded = IssueFragments.load(zlib.compress(json.dumps(stored).encode()))
    told = edition(section("Reasoning", 0), summary="brief")
    letter = render_letter(loaded, told, links_to())
    assert letter == render_letter(fragments, told, links_to())
    assert IssueFragments.load(loaded.dump()) == loaded
    assert loaded.html.cards["brief"][0] is loaded.html.cards["short"][0]


def test_shared_fragments_are_the_same_objects() -> None:
    papers = section("Reasoning", 0, 1)
    assembler = LetterAssembler(CompiledIssue(make_fragments(), READABLE))
    ada = assembler.assemble(edition(papers), links_by_place(links_to(SITE, ADA)))
    bob = assembler.assemble(edition(papers, to=BOB), links_by_place(links_to(SITE, BOB)))
    both = list(zip(ada.html, bob.html, strict=True))
    assert {a for a, b in both if a is not b} == {"ada@example.org", links_to().unsubscribe}


@pytest.mark.parametrize(
    ("heading", "reason", "shown"),
    [
        (TOP, "topic Agents: “title:agents”", "because: Agents"),
        (TOP, "include “author:Hinton”", "because: author:Hinton"),
        (TOP, "include “author:Hin” (as “G. Hin”, “H. Hin”)", "because: author: G. Hin, H. Hin"),
        (TOP, "include “lora” (as “LoRA”)", "because: lora"),
        (TOP, "include “about: agents”", "because: about: agents"),
        (TOP, "include “about: cats and author:Hin” (as “G. Hin”)", "because: author: G. Hin"),
        (TOP, "every paper", None),
        ("Reasoning", "topic Reasoning: “title:chain of thought”", None),
        (BY_FILTER, "include “(LoRA) and not video”", "because: (LoRA) and not video"),
        ("Other", "every paper", None),
    ],
)
def test_reasons_are_what_a_reader_asked_for(heading: str, reason: str, shown: str | None) -> None:
    cut = replace(section(heading, 0, because=reason), leads=heading == TOP)
    html = render_letter(make_fragments(), edition(cut), links_to()).html
    assert html.partition("<p>because")[2].partition("</p>")[0] == (shown or "")[7:]
    assert "</card>" in html


def test_reason_keeps_within_its_reserved_bytes() -> None:
    fragments = make_fragments()
    for reason in ("&" * 300, "漢" * 300, "word " * 100, "a"):
        cut = edition(section("Reasoning", 0, because=f"include “{reason}”"))
        html = render_letter(fragments, cut, links_to()).html
        said = html.partition("because: ")[2].partition("</p>")[0]
        assert 0 < len(said.encode()) <= MAX_REASON_BYTES


def test_card_is_encoded_once_for_all_rules() -> None:
    encoded = list[str]()

    def encode(text: str) -> str:
        encoded.append(text)
        return text

    compiled = CompiledIssue(make_fragments(), Encoding(encode, str.join), links_to())
    counts = []
    for rule in ("one", "two"):
        made = edition(section("Reasoning", 0, because=f"include “{rule}”"))
        html = LetterAssembler(compiled).assemble(made, {}).html
        assert f"because: {rule}" in "".join(html)
        counts.append(sum("First" in text for text in encoded))
    assert counts[0] == counts[1] > 0


def test_size_estimate_is_never_too_small() -> None:
    papers = [paper(n, f"Títle {n}", abstract=ABSTRACT) for n in range(1, 6)]
    for publication in (SITE, replace(SITE, bounces=None), NO_SITE):
        fragments = make_fragments(*papers, publication=publication)
        own = section(BY_FILTER, 3, because=f"include “{'&' * 80}”")
        cut = edition(section("Reasoning", 0, 1, rows=[2]), own, more=[4])
        cut = replace(cut, sections=(cut.sections[0], replace(own, more=1)))
        html = render_letter(fragments, cut, links_to(publication)).html
        sizes = fragments.sizes
        reckoned = (
            sizes.frame
            + sizes.headings["Reasoning"]
            + sizes.headings[BY_FILTER]
            + sizes.more_in[BY_FILTER]
            + sum(sizes.cards["short"][place] for place in (0, 1, 3))
            + sizes.reason
            + sizes.rows[2]
        )
        assert len(html.encode()) <= reckoned


def test_newcomer_has_the_headings_of_an_earlier_version() -> None:
    made = make_fragments()
    stored = json.loads(zlib.decompress(made.dump()))
    for part in (stored["html"], stored["text"]):
        for by_section in (part["headings"], part["more_in"]):
            by_section[BY_FILTER_BEFORE] = by_section.pop(BY_FILTER)
    loaded = IssueFragments.load(zlib.compress(json.dumps(stored).encode()))
    assert loaded.sizes.headings[BY_FILTER] == made.sizes.headings[BY_FILTER]
    assert loaded.sizes.more_in[BY_FILTER] == made.sizes.more_in[BY_FILTER]


def test_paper_that_breaks_the_template_is_quarantined() -> None:
    fragile = tiny_templates(
        html=TINY_HTML.replace("{{ summary }}", "{{ 1 // (paper.title | length - 3) }}")
    )
    papers = (paper(1, "First"), paper(2, "Two"), paper(3, "Third"))
    fragments, quarantined = render_issue(issue(papers, "Reasoning"), SITE, fragile)
    (key, reason), *others = quarantined
    assert not others
    assert key == papers[1].key
    assert reason.startswith("tiny, block card: ")
    html = render_letter(fragments, edition(section("Reasoning", 0, 2)), links_to()).html
    assert "First" in html
    assert "Third" in html


def test_unencodable_paper_is_quarantined() -> None:
    broken = "{{ '\\ud800' if paper.title == 'Two' else paper.title }}"
    text = TINY_TEXT.replace("{{ paper.title }}", broken)
    papers = (paper(1, "First"), paper(2, "Two"))
    _, quarantined = render_issue(issue(papers), SITE, tiny_templates(text=text))
    assert [key for key, _ in quarantined] == [papers[1].key]


def test_issue_survives_quarantine_of_its_only_paper() -> None:
    misspelt = tiny_templates(html=TINY_HTML.replace("{{ paper.title", "{{ paper.titel"))
    fragments, ((key, reason),) = render_issue(issue([paper()]), SITE, misspelt)
    assert key == paper().key
    assert "titel" in reason
    assert "quiet" in render_letter(fragments, edition(), links_to()).html


@pytest.mark.parametrize(
    "templates",
    [
        tiny_templates(html=TINY_HTML.replace("{{ publication.name }}", "{{ publication.nmae }}")),
        tiny_templates(subject=TINY_SUBJECT.replace("publication.name", "publication.nmae")),
    ],
)
def test_failing_frame_is_a_template_error(templates: object) -> None:
    with pytest.raises(TemplateError, match="nmae") as caught:
        render_issue(issue([]), SITE, templates)  # type: ignore[arg-type]
    assert caught.value.file == "tiny"


def test_issue_without_papers_renders() -> None:
    fragments, quarantined = render_issue(issue([]), SITE, tiny_templates())
    assert quarantined == ()
    assert "quiet" in render_letter(fragments, edition(), links_to()).html


def test_outside_text_cannot_name_a_placeholder() -> None:
    forged = "\ue000email\ue001"
    publication = replace(SITE, name=forged, postal_address=forged)
    made = replace(issue([paper(1, forged)], forged), missing=(forged,))
    fragments, _ = render_issue(made, publication, tiny_templates())
    html = render_letter(fragments, edition(section(forged, 0)), links_to()).html
    assert html.count("ada@example.org") == 1


@pytest.mark.slow
def test_more_reasons_than_the_cache_holds_are_all_shown() -> None:
    compiled = CompiledIssue(make_fragments(), READABLE)
    assembler, links = LetterAssembler(compiled), links_by_place(links_to())
    for number in range(2_500):
        cut = edition(section(BY_FILTER, 0, because=f"include “rule {number}”"))
        letter = assembler.assemble(cut, links)
        assert f"because: rule {number}</p>" in "".join(letter.html)
    assert len(compiled.cards["short", False]) < 2_500


def test_view_says_the_date_of_a_list_read_late() -> None:
    view = paper_view(item("One", listed=date(2026, 7, 20)))
    assert view.byline == "listed 20 July 2026"
