"""Issues and their papers, as the API has them."""

from dataclasses import asdict
from datetime import date

from starlette.responses import JSONResponse, Response

from newsletter.letter.views import paper_view
from newsletter.model import Paper, PublishedIssue
from newsletter.web.api.calls import ApiError, Call
from newsletter.web.forms import number_of
from newsletter.web.page_cache import contains

ISSUES, MOST_ISSUES = 20, 100
PAPERS, MOST_PAPERS = 100, 500


def list_issues(call: Call) -> Response:
    """The issues, newest first, with the counts of their emails."""
    limit, before = call.limit(MOST_ISSUES, ISSUES), call.parameter("before")
    days = call.context.publisher.store.issue_days()
    if before:
        days = tuple(day for day in days if day < _day(before, 422))
    shown = days[:limit]
    following = shown[-1].isoformat() if len(days) > limit else None
    return call.page([_issue(call, day) for day in shown], following, "before")


def show_issue(call: Call) -> Response:
    """One issue."""
    return JSONResponse(_issue(call, _day(call.request.path_params["day"])))


def list_papers(call: Call) -> Response:
    """The papers that were new in an issue, by their numbers."""
    day, limit = _day(call.request.path_params["day"]), call.limit(MOST_PAPERS, PAPERS)
    issues = call.context.publisher.store.published_issues()
    published = next((each for each in issues if each.day == day), None)
    if published is None:
        raise ApiError(404, "There is no issue of that day.")
    papers = _papers(call, published)
    topics = {
        entry.key: block.name
        for block in call.context.page_cache.public_issue(published).blocks
        for entry in block.entries
    }
    items = [_paper(paper, topics.get(paper.key, "")) for paper in papers[:limit]]
    following = papers[limit - 1].number if len(papers) > limit else None
    return call.page(items, following, "after")


def _papers(call: Call, published: PublishedIssue) -> list[Paper]:
    after = call.parameter("after")
    first = number_of(after) if after else published.after
    if first is None:
        raise ApiError(422, "after: write a number, as `next` has it.")
    numbers = range(max(first, published.after) + 1, published.cutoff + 1)
    papers = call.context.publisher.store.papers_by_number(numbers)
    return [paper for paper in papers if contains(published, paper)]


def _day(text: str, status: int = 404) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ApiError(status, "There is no such day; write it as 2026-08-03.") from error


def _issue(call: Call, day: date) -> dict[str, object]:
    store = call.context.publisher.store
    found = store.issue_state(day)
    if found is None:
        raise ApiError(404, "There is no issue of that day.")
    state, reason = found
    counts = store.counts(day)
    return {
        "issue": day.isoformat(),
        "state": state,
        "reason": reason,
        "planned": counts.planned,
        "open": counts.open,
        "counts": asdict(counts),
    }


def _paper(paper: Paper, topic: str) -> dict[str, object]:
    view, item = paper_view(paper.item), paper.item
    return {
        "key": paper.key,
        "number": paper.number,
        "title": view.title,
        "abstract": view.summaries["full"],
        "brief": view.brief,
        "keywords": [*view.keywords],
        "authors": [*item.authors],
        "organization": item.organization,
        "categories": [*item.categories],
        "topic": topic,
        "published": None if item.published is None else item.published.isoformat(),
        "upvotes": item.upvotes,
        "url": view.url,
        "links": {link.label: link.url for link in view.links},
        "submitter": view.submitter,
        "author_answers": view.author_answers,
        "media": [link.url for link in view.media],
        "thumbnail": view.thumbnail,
        "withdrawn": item.withdrawn,
    }
