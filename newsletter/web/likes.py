"""What readers say of single papers: more like this, or less."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.model import Like, Paper, Reader
from newsletter.web.context import PageContext, token_of
from newsletter.web.forms import Form, number_of
from newsletter.web.page_cache import PaperEntry, paper_entry


@dataclass(frozen=True, slots=True)
class LikedPaper:
    """A paper with what a reader said of it, and when."""

    entry: PaperEntry
    more: bool
    at: datetime


def liked_papers(context: PageContext, reader: Reader) -> Sequence[LikedPaper]:
    """The papers of which a reader said something, the newest first."""
    said = context.publisher.store.likes([reader.id]).get(reader.id, ())
    papers = context.publisher.store.papers_by_number([like.paper for like in said])
    entries = {paper.number: paper_entry(paper) for paper in papers}
    return [LikedPaper(entries[each.paper], each.more, each.at) for each in said]


@dataclass(frozen=True, slots=True)
class LikePages:
    """The page that asks what a reader thinks of a paper of their email, and the preferences' list.

    The link to the page is that of the email on the web, and the paper's number.
    """

    context: PageContext

    def ask(self, request: Request) -> Response:
        """The question, and what the reader said before; nothing changes."""
        reader, paper = self._asked_about(request)
        return self.context.templates.page(
            "like",
            entry=paper_entry(paper),
            said=self._said(reader, paper),
            done="done" in request.query_params,
            here=_path(request),
        )

    def answer(self, request: Request, form: Form) -> Response:
        """Do what the button says; what was said of the paper before is replaced."""
        reader, paper = self._asked_about(request)
        store = self.context.publisher.store
        match form.one("do"):
            case "more" | "less" as said:
                store.like(reader.id, paper.number, more=said == "more", now=self.context.now)
            case "forget":
                store.forget_likes(reader.id, paper.number)
            case _:
                raise HTTPException(400, "This page has no such button.")
        return self.context.templates.redirect(f"{_path(request)}?done")

    def _said(self, reader: Reader, paper: Paper) -> Like | None:
        said = self.context.publisher.store.likes([reader.id]).get(reader.id, ())
        return next((like for like in said if like.paper == paper.number), None)

    def _asked_about(self, request: Request) -> tuple[Reader, Paper]:
        """The reader whose link it is, and the paper, which has to be in their email of that day.

        Raises:
            HTTPException: it is not, or that email is no longer kept.
        """
        reader, day = self.context.verify_link(request, "edition")
        store, number = self.context.publisher.store, number_of(request.path_params["number"])
        found = store.edition_page(date.fromisoformat(day), reader.subscriber.email)
        if found is None and self.context.page_cache.was_removed(date.fromisoformat(day)):
            raise HTTPException(410, "We no longer keep your email of that day.")
        papers = store.papers_by_number([number]) if number and found and number in found[2] else ()
        if not papers:
            raise HTTPException(404, "Your email of that day has no such paper.")
        return reader, papers[0]

    def forget(self, request: Request, form: Form) -> Response:
        """Remove one paper of the preferences' list, or all of them."""
        reader, _ = self.context.verify_link(request, "preferences")
        paper = form.one("paper")
        number = number_of(paper)
        if number is None and paper != "all":
            raise HTTPException(400, "This page has no such button.")
        self.context.publisher.store.forget_likes(reader.id, number)
        return self.context.templates.redirect(f"/preferences/{token_of(request)}#likes")


def _path(request: Request) -> str:
    return f"/edition/{token_of(request)}/{request.path_params['number']}"
