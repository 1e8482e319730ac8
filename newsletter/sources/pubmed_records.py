"""Reads the records of PubMed (https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/250101/)."""

import re
from collections.abc import Iterator
from html import escape
from xml.etree import ElementTree as ET

from newsletter.model import Item
from newsletter.papers.names import find_dois
from newsletter.sources.answers import load_xml, unknown_shape
from newsletter.sources.dated_lists import WITHDRAWN
from newsletter.sources.entries import Reading, keywords
from newsletter.text import clean, find_day, find_month, http_url, strip_markup

_CITATION, _ARTICLE = "MedlineCitation", "MedlineCitation/Article"

_NOTICES = frozenset(
    {
        "Published Erratum",
        "Retraction of Publication",
        "Retraction Notice",
        "Expression of Concern",
    }
)
"""The types of records that are notices about a paper."""

_RETRACTED = frozenset({"Retracted Publication", "RetractionIn"})
_SERVER = re.compile(r"(?:bio|med|ar|chem|psy)rxiv|res(?:earch)? sq|preprints|ssrn", re.IGNORECASE)


def parse(body: bytes, reading: Reading) -> Iterator[Item]:
    """The papers in an answer of ``efetch``; notices about other papers are left out.

    Raises:
        SourceError: the body is not a set of records.
    """
    root = load_xml(body, reading.origin, "records of PubMed")
    records = list(root)
    if root.tag != "PubmedArticleSet" or not records:
        raise unknown_shape(reading.origin, f"<{root.tag}> {''.join(root.itertext())}")
    papers = [
        one for one in records if one.tag != "PubmedBookArticle" and not _types(one) & _NOTICES
    ]
    return reading.items(papers, _item)


def _types(record: ET.Element) -> set[str]:
    return {_text(one) for one in record.iterfind(f"{_ARTICLE}/PublicationTypeList/*")}


def _item(record: ET.Element) -> Item | None:
    number = clean(record.findtext(f"{_CITATION}/PMID", ""))
    title = _text(record.find(f"{_ARTICLE}/ArticleTitle"))
    title = title or _text(record.find(f"{_ARTICLE}/VernacularTitle"))
    if not number.isdecimal() or not title:
        return None
    sections = record.iterfind(f"{_ARTICLE}/Abstract/AbstractText")
    abstract = " ".join(filter(None, map(_section, sections)))
    notes = {note.get("RefType", "") for note in _notes(record)}
    dates = list(_dates(record))
    return Item(
        title=title.removesuffix("."),
        abstract=abstract,
        ids=tuple(dict.fromkeys((*_ids(record), f"pmid:{number}", *_other_versions(record)))),
        url=http_url(f"https://pubmed.ncbi.nlm.nih.gov/{number}/"),
        authors=tuple(filter(None, map(_name, record.iterfind(f"{_ARTICLE}/AuthorList/Author")))),
        published=next(filter(None, map(find_day, dates)), None),
        published_month=next(filter(None, map(find_month, dates)), None),
        keywords=keywords(map(_text, record.iterfind(f"{_CITATION}/KeywordList/Keyword"))),
        withdrawn=bool(_RETRACTED & (notes | _types(record))) or bool(WITHDRAWN.match(title)),
    )


def _text(element: ET.Element | None) -> str:
    """The text of an element, whose children are markup."""
    if element is None:
        return ""
    children = "".join(ET.tostring(child, encoding="unicode") for child in element)
    return strip_markup(escape(element.text or "", quote=False) + children)


def _section(element: ET.Element) -> str:
    """A part of the abstract, after its heading if it has one."""
    label = clean(element.get("Label", "")).capitalize()
    text = _text(element)
    return f"{label}: {text}" if text and label not in {"", "Unlabelled"} else text


def _name(author: ET.Element) -> str:
    """A person by first and last name, or a group."""
    group = _text(author.find("CollectiveName"))
    first = _text(author.find("ForeName")) or _text(author.find("Initials"))
    last, suffix = _text(author.find("LastName")), _text(author.find("Suffix"))
    return group or " ".join(filter(None, (first, last, suffix)))


def _dates(record: ET.Element) -> Iterator[str]:
    """The dates of publication as written, the electronic one first."""
    for place in ("ArticleDate", "Journal/JournalIssue/PubDate"):
        if (written := record.find(f"{_ARTICLE}/{place}")) is not None:
            parts = (written.findtext(part, "") for part in ("Year", "Month", "Day"))
            yield "-".join(filter(None, parts)) if place == "ArticleDate" else " ".join(parts)


def _ids(record: ET.Element) -> Iterator[str]:
    """The DOI, the number in PubMed Central, and the number that arXiv gave the paper."""
    own = record.iterfind("PubmedData/ArticleIdList/ArticleId")
    for element in (*own, *record.iterfind(f"{_ARTICLE}/ELocationID")):
        kind, name = element.get("IdType") or element.get("EIdType"), clean(element.text or "")
        if kind == "doi" or name.casefold().startswith("arxiv:"):
            yield name
        elif kind == "pmc":
            yield f"https://pmc.ncbi.nlm.nih.gov/articles/{name}/"


def _notes(record: ET.Element) -> Iterator[ET.Element]:
    return record.iterfind(f"{_CITATION}/CommentsCorrectionsList/CommentsCorrections")


def _other_versions(record: ET.Element) -> Iterator[str]:
    """The ids of a preprint's article and of an article's preprint.

    The same notes join the editions of a review, which are papers of their own.
    """
    is_preprint = "Preprint" in _types(record)
    for note in _notes(record):
        source, kind = clean(note.findtext("RefSource", "")), note.get("RefType")
        if kind == ("UpdateIn" if is_preprint else "UpdateOf") and (
            is_preprint or _SERVER.match(source)
        ):
            number = clean(note.findtext("PMID", ""))
            yield from (
                *find_dois(source.partition("doi:")[2].strip()),
                *([f"pmid:{number}"] if number else []),
            )
