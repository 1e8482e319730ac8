import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SourceError
from newsletter.sources.saved_pages import parse

ISSUE = date(2026, 11, 21)

PAGE = """new

Get trending papers in your email inbox!

Subscribe

Daily Papers

byAK and the research community

{head}

A title of its own

{abstract}

{about}"""


def page(head: str = "Mar 14", about: str = "", abstract: str = "An abstract.") -> str:
    return PAGE.format(head=head, about=about, abstract=abstract)


def test_paper_has_title_and_abstract() -> None:
    day, (paper,) = parse(page(), ISSUE)
    assert day == date(2026, 3, 14)
    assert (paper.title, paper.abstract) == ("A title of its own", "An abstract.")
    assert (paper.author_count, paper.organization, paper.published) == (None, None, None)


@pytest.mark.parametrize(
    ("about", "authors", "organization", "published", "comments"),
    [
        ("  • 5 authors\n·\nJul 16, 2024", 5, None, date(2024, 7, 16), None),
        ("  • 1 author\n·\nFeb 5", 1, None, date(2026, 2, 5), None),
        ("  • 6 authors\n·\nMar 14, 2024 3", 6, None, date(2024, 3, 14), 3),
        ("  • 6 authors\n·\nJun 20 2", 6, None, date(2026, 6, 20), 2),
        ("facebook AI at Meta\n·\nSep 29 1", None, "facebook AI at Meta", date(2026, 9, 29), 1),
    ],
)
def test_lines_below_abstract_give_authors_and_date(
    about: str, authors: int | None, organization: str | None, published: date, comments: int | None
) -> None:
    _, (paper,) = parse(page(about=about), ISSUE)
    assert (paper.author_count, paper.organization) == (authors, organization)
    assert (paper.published, paper.comments) == (published, comments)


@pytest.mark.parametrize(
    ("head", "issue", "about", "year"),
    [
        ("Dec 12", date(2026, 11, 21), "", 2025),
        ("Dec 12", date(2026, 12, 12), "", 2026),
        ("Dec 12", date(2026, 12, 11), "", 2025),
        ("Feb 29", date(2026, 11, 21), "", 2024),
        ("Dec 12", date(2025, 1, 1), "• 2 authors\n·\nMar 1, 2025", 2025),
        ("Jan 3", date(2026, 1, 2), "• 2 authors\n·\nMay 1, 2024", 2025),
    ],
)
def test_year_is_the_newest_that_fits(head: str, issue: date, about: str, year: int) -> None:
    day, _ = parse(page(head, about), issue)
    assert day.year == year


def test_papers_with_and_without_details_are_separated() -> None:
    text = page(about="• 2 authors\n·\nFeb 5\n\nSecond\n\nText two.\n\nThird\n\nText three.")
    _, items = parse(text, ISSUE)
    assert [(each.title, each.author_count) for each in items] == [
        ("A title of its own", 2),
        ("Second", None),
        ("Third", None),
    ]


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x0c", "\x85", "\x1e"])
def test_only_line_breaks_end_a_line(separator: str) -> None:
    _, (paper,) = parse(page(abstract=f"One{separator}two."), ISSUE)
    assert paper.abstract.startswith("One")


def test_windows_line_endings_are_read() -> None:
    _, items = parse(page(about="• 2 authors\n·\nFeb 5").replace("\n", "\r\n"), ISSUE)
    assert items[0].author_count == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "page:1: no day"),
        ("<html><body>Not Found</body></html>", "page:1: no day"),
        ("new\nMar 14\nA title", "page:3: no abstract follows 'A title'"),
        ("new\nA title\nIts text.\n• 3 authors\n·\nFeb 5\nTwo\nText.", "page:1: no day"),
        ("new\nMar 14\n• 3 authors\n·\nFeb 5", "page:3: a title should stand here"),
        ("Mar 14\nTitle\nText.\n·\nFeb 5", "page:4: a title should stand here"),
        ("Mar 14\nTitle\nText\n·\nFeb 5", "page:2: no abstract follows 'Title'"),
        ("Mar 14\nOne\nOn one.\nOn two.\nTwo", "page:4: a title should stand here"),
        ("Mar 14\nRed fish\nAdvertisement\nOn red fish.", "page:2: no abstract follows"),
        ("Mar 14\nOne\nOn one\nTwo\nOn two\nThree\nOn three", "page:2: no abstract follows"),
        ("Mar 14\nOne\nOn one.\nAdvertisement\n• 2 authors\n·\nFeb 5", "page:4: no abstract"),
    ],
)
def test_other_page_is_an_error_with_its_line(text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(text, ISSUE)
    assert said in str(caught.value)


@pytest.mark.parametrize("head", ["Mar 14", "March 14", "Mar 14, 2026"])
def test_day_is_read_in_its_forms(head: str) -> None:
    assert parse(page(head), ISSUE)[0] == date(2026, 3, 14)


def test_lines_of_head_and_foot_are_no_papers() -> None:
    foot = "System theme\nCompany\n\nTOS\nPrivacy\nAbout\nCareers\n© 2026 Hugging Face"
    _, items = parse(page(about=foot), ISSUE)
    assert [each.title for each in items] == ["A title of its own"]


NAMES = ("Red fish", "Two blue birds", "Green whales?", "Yellow snails")
PAPERS = tuple((name, f"We tell of {name.strip('?').lower()} in the sea.") for name in NAMES)
DETAILS = ("• 2 authors", "·", "Feb 5")
BARE = ["new", "Mar 14", *(line for paper in PAPERS for line in paper)]
DETAILED = ["new", "Mar 14", *(line for paper in PAPERS for line in (*paper, *DETAILS))]


def test_paper_without_abstract_leaves_others_in_order() -> None:
    for lines in (BARE, DETAILED):
        _, items = parse("\n".join(line for line in lines if line != PAPERS[1][1]), ISSUE)
        assert [(each.title, each.abstract) for each in items] == [
            PAPERS[0],
            (NAMES[1], ""),
            *PAPERS[2:],
        ]


def assert_names_line(said: str) -> None:
    assert re.match(r"page:\d+: ", said)


@given(
    st.sampled_from([BARE, DETAILED]),
    st.integers(0, 25),
    st.sampled_from([None, *DETAILED, "TOS", "Read this too", "An odd line.", "12", "3 replies"]),
)
def test_one_wrong_line_swaps_no_abstract(
    lines: list[str], place: int, inserted: str | None
) -> None:
    """Every paper read has its own abstract or none, or the page is refused with a line."""
    rest = lines[place + 1 :] if inserted is None else [inserted, *lines[place:]]
    try:
        _, items = parse("\n".join(lines[:place] + rest), ISSUE)
    except SourceError as error:
        items = ()
        assert_names_line(str(error))
    own = dict(PAPERS)
    assert all(each.abstract in {"", own.get(each.title)} for each in items)
