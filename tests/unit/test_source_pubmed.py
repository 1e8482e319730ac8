from datetime import date

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.papers.identity import identify
from newsletter.sources import pubmed_records
from newsletter.sources.entries import Reading
from newsletter.sources.pubmed import find_numbers

URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/efetch.fcgi"
HEAD = """<?xml version="1.0" ?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN"
 "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">
"""
ABSTRACT = """<Abstract><AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">CO<sub>2</sub>
is <i>old</i>, p &lt; 0.05.</AbstractText><AbstractText Label="RESULTS">It folds.</AbstractText>
<CopyrightInformation>© 2026 Invented</CopyrightInformation></Abstract>"""
PUBLISHED = """<ArticleDate DateType="Electronic"><Year>2026</Year><Month>08</Month><Day>02</Day>
</ArticleDate>"""


def parse(body: bytes, origin: str) -> tuple[Item, ...]:
    return tuple(pubmed_records.parse(body, Reading(origin)))


def record(
    number: int | str = 39000001,
    title: str = "Folding of an invented protein.",
    *,
    types: tuple[str, ...] = ("Journal Article",),
    notes: str = "",
    ids: str = '<ELocationID EIdType="doi" ValidYN="Y">10.5555/Invented.1</ELocationID>',
    published: str = PUBLISHED,
) -> str:
    listed = "".join(f'<PublicationType UI="D0">{one}</PublicationType>' for one in types)
    return f"""<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{number}</PMID>
<Article PubModel="Print-Electronic"><Journal><JournalIssue><PubDate><Year>2026</Year>
<Month>Sep</Month></PubDate></JournalIssue><Title>Invented Journal</Title></Journal>
<ArticleTitle>{title}</ArticleTitle>{ids}{ABSTRACT}
<AuthorList CompleteYN="Y"><Author ValidYN="Y"><LastName>Alpha</LastName><ForeName>Ann B</ForeName>
<Initials>AB</Initials></Author><Author><LastName>Beta</LastName><Initials>C</Initials><Suffix>Jr
</Suffix></Author><Author><CollectiveName>The Invented Consortium</CollectiveName></Author>
</AuthorList><PublicationTypeList>{listed}</PublicationTypeList>{published}</Article>
<KeywordList Owner="NOTNLM"><Keyword>Protein <i>folding</i>.</Keyword></KeywordList>
<CommentsCorrectionsList>{notes}</CommentsCorrectionsList></MedlineCitation><PubmedData>
<ArticleIdList><ArticleId IdType="pubmed">{number}</ArticleId>
<ArticleId IdType="pmc">PMC1</ArticleId></ArticleIdList>
<ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.5555/cited
</ArticleId></ArticleIdList></Reference></ReferenceList></PubmedData></PubmedArticle>"""


def answer(*records: str) -> bytes:
    return f"{HEAD}<PubmedArticleSet>{''.join(records)}</PubmedArticleSet>".encode()


def one(text: str) -> Item:
    (item,) = parse(answer(text), URL)
    return item


def test_every_field_is_read() -> None:
    assert one(record()) == Item(
        title="Folding of an invented protein",
        abstract="Background: CO₂ is old, p < 0.05. Results: It folds.",
        ids=(
            "https://pmc.ncbi.nlm.nih.gov/articles/PMC1/",
            "10.5555/Invented.1",
            "pmid:39000001",
        ),
        url="https://pubmed.ncbi.nlm.nih.gov/39000001/",
        authors=("Ann B Alpha", "C Beta Jr", "The Invented Consortium"),
        published=date(2026, 8, 2),
        published_month=date(2026, 9, 1),
        keywords=("Protein folding",),
    )
    assert identify(one(record())).key == "doi:10.5555/invented.1"


def test_formula_in_a_title_is_plain() -> None:
    formula = (
        '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:msup><mml:mi>x</mml:mi>'
        "<mml:mn>2</mml:mn></mml:msup></mml:math>"
    )
    assert one(record(title=f"On {formula} &amp; <i>y</i>.")).title == "On x² & y"


def test_paper_without_an_abstract_is_read() -> None:
    assert one(record().replace(ABSTRACT, "")).abstract == ""


def test_printed_month_is_read_if_nothing_else_is_known() -> None:
    found = one(record(published=""))
    assert (found.published, found.published_month) == (None, date(2026, 9, 1))


def note(kind: str, source: str) -> str:
    return (
        f'<CommentsCorrections RefType="{kind}"><RefSource>{source}</RefSource>'
        '<PMID Version="1">38000001</PMID></CommentsCorrections>'
    )


PREPRINT_SOURCE = "bioRxiv. 2026 Jan 5:2026.01.04.574141. doi: 10.1101/2026.01.04.574141."


def test_article_names_its_preprint() -> None:
    names = identify(one(record(notes=note("UpdateOf", PREPRINT_SOURCE)))).aliases
    assert {"doi:10.1101/2026.01.04.574141", "pmid:38000001"} <= names


def test_preprint_names_its_article() -> None:
    notes = note("UpdateIn", "Invent J. 2026 Aug;1(1):1-9. doi: 10.5555/later.")
    names = identify(one(record(notes=notes, types=("Preprint",)))).aliases
    assert {"doi:10.5555/later", "pmid:38000001"} <= names


def test_editions_of_a_review_stay_apart() -> None:
    notes = note("UpdateOf", "Cochrane Database Syst Rev. 2013;2:CD0. doi: 10.1002/14651858.x")
    assert "pmid:38000001" not in identify(one(record(notes=notes))).aliases


def test_number_of_arxiv_names_the_paper() -> None:
    ids = '<ELocationID EIdType="pii">arXiv:2608.00001v2</ELocationID>'
    assert identify(one(record(ids=ids))).key == "arxiv:2608.00001"


@pytest.mark.parametrize(
    "retracted",
    [
        record(types=("Journal Article", "Retracted Publication")),
        record(notes=note("RetractionIn", "Invent J. 2026")),
        record(title="RETRACTED: Folding."),
    ],
)
def test_retracted_paper_is_marked(retracted: str) -> None:
    assert one(retracted).withdrawn


def test_notices_and_books_are_left_out() -> None:
    notice = record(types=("Published Erratum",))
    book = "<PubmedBookArticle><BookDocument/></PubmedBookArticle>"
    assert len(parse(answer(notice, record(), book), URL)) == 1


def test_unreadable_record_is_left_out() -> None:
    assert len(parse(answer(record(), record(title=""), record("x")), URL)) == 1


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (97 + n, b"&%c;" % (96 + n) * 50) for n in range(1, 9)
)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Error</body></html>",
        b"<PubmedArticleSet></PubmedArticleSet>",
        answer(record())[:-40],
        answer("<PubmedArticle><Renamed/></PubmedArticle>"),
        b"",
        BOMB + b"]><PubmedArticleSet>&i;</PubmedArticleSet>",
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><PubmedArticleSet>&f;</PubmedArticleSet>',
    ],
)
def test_answer_of_unknown_shape_is_an_error(body: bytes) -> None:
    with pytest.raises(SourceError, match=f"^{URL}: ") as caught:
        parse(body, URL)
    assert "root:" not in str(caught.value)


def test_numbers_that_were_found_are_read() -> None:
    found = b'{"esearchresult": {"count": "2", "idlist": ["1", "2"]}}'
    assert find_numbers(found, URL) == ["1", "2"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"esearchresult": {"ERROR": "Invalid db name"}}', "Invalid db name"),
        (b'{"error": "API key invalid"}', "API key invalid"),
        (
            b'{"esearchresult": {"idlist": [], "errorlist": {"fieldsnotfound": ["Titl"]}}}',
            r"no field \['Titl'\]; correct `query`",
        ),
        (b'{"esearchresult": {"count": "12000", "idlist": ["1"]}}', "1 of 12000 papers came"),
        (b'{"esearchresult": {"idlist": ["1"]}}', "1 of None"),
    ],
)
def test_search_that_failed_is_an_error(body: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        find_numbers(body, URL)
