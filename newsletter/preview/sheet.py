"""The sheet's answers: the page, the letter in it, and what the page asks for beside."""

import contextlib
from collections.abc import AsyncIterator, Mapping

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from newsletter.config.fields import address
from newsletter.errors import NewsletterError
from newsletter.issue.editions import MAX_HTML_BYTES
from newsletter.preview.choice import Choice, choice_of
from newsletter.preview.filter_trial import DAYS, tried
from newsletter.preview.guard import HEADERS, LETTER_POLICY, refuse_foreign
from newsletter.preview.letter import on
from newsletter.preview.linting import Finding, Weight, findings, spam_finding
from newsletter.preview.live_reload import News
from newsletter.preview.workshop import THEMES, Made, Workshop
from newsletter.publisher.previewing import rehearse
from newsletter.templates import TemplateFolders
from newsletter.web.forms import read_form
from newsletter.web.guard import Guard

Asked = Mapping[str, str]


class Sheet:
    """The proof sheet of a newsletter.

    Args:
        workshop: where its letters are made.
        where: its own templates.
        default: what is shown before anything is chosen.
        news: what open pages are told of.
    """

    def __init__(
        self, workshop: Workshop, where: TemplateFolders, default: Choice, news: News
    ) -> None:
        self._workshop = workshop
        self._default = default
        self._news = news
        self._files = {name: where.read(f"web/{name}") for name in ("proof.css", "proof.js")}
        self._set = jinja2.Environment(
            loader=jinja2.FunctionLoader(where.read),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def app(self, watching: "contextlib.AbstractAsyncContextManager[None]") -> Starlette:
        """The page as an application; ``watching`` goes on as long as it is served."""

        @contextlib.asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            async with watching:
                yield

        return Starlette(
            routes=[
                Route("/", self.index),
                Route("/letter.html", self.as_html),
                Route("/letter.txt", self.as_text),
                Route("/letter.eml", self.as_source),
                Route("/spam", self.spam),
                Route("/templates", self.templates),
                Route("/trial", self.trial),
                Route("/test", self.test, methods=["POST"]),
                Route("/events", self.events),
                Route("/proof.css", self.file),
                Route("/proof.js", self.file),
            ],
            middleware=[Middleware(Guard, headers=HEADERS, refuse=refuse_foreign)],
            lifespan=lifespan,
        )

    async def index(self, request: Request) -> Response:
        """The page; who comes to it or loads it again sees also what the store has new."""
        choice = self._choice(request.query_params)
        came = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
        made, problem = self._made(choice, again=came)
        values = {
            "choice": choice,
            "made": made,
            "verdicts": self._workshop.verdicts(choice) if made else (),
            "problem": problem,
            "faults": self._workshop.faults,
            "findings": findings(made.letter) if made else [],
            "days": self._workshop.days(choice.day),
            "readers": self._workshop.readers(),
            "themes": THEMES,
            "limit": MAX_HTML_BYTES,
            "number": self._news.number,
            "settings": self._workshop.app.settings,
            "back": DAYS,
        }
        return self._page("proof.html", values)

    async def as_html(self, request: Request) -> Response:
        """The letter's HTML part, as a screen of the chosen scheme shows it."""
        choice = self._choice(request.query_params)
        shown = on(choice.scheme, self._letter(choice).letter.html)
        return HTMLResponse(shown, headers={"Content-Security-Policy": LETTER_POLICY})

    async def as_text(self, request: Request) -> Response:
        """The letter's text part."""
        return PlainTextResponse(self._letter(self._choice(request.query_params)).letter.text)

    async def as_source(self, request: Request) -> Response:
        """The bytes that would be sent."""
        made = self._letter(self._choice(request.query_params))
        return Response(b"".join(made.proof.envelope.content), media_type="text/plain")

    async def spam(self, request: Request) -> Response:
        """What the spam filter says of the letter."""
        made = self._letter(self._choice(request.query_params))
        found = await spam_finding(b"".join(made.proof.envelope.content))
        return self._page("proof.finding.html", {"finding": found})

    async def templates(self, _request: Request) -> Response:
        """What is wrong with any template, those of short notes too."""
        faults = "; ".join(str(fault) for fault in self._workshop.mistakes())
        weight: Weight = "wrong" if faults else "fine"
        found = Finding(weight, "templates", faults or "nothing found")
        return self._page("proof.finding.html", {"finding": found})

    async def trial(self, request: Request) -> Response:
        """What a filter would have brought."""
        choice = self._choice(request.query_params)
        try:
            found = tried(self._workshop.publisher(choice.theme), choice.day, request.query_params)
        except NewsletterError as error:
            return self._page("proof.said.html", {"well": False, "said": str(error)})
        return self._page("proof.trial.html", {"tried": found})

    async def test(self, request: Request) -> Response:
        """Send the letter to the person at the page, by the door that letters leave by."""
        asked = (await read_form(request)).first_values()
        choice = self._choice(asked)
        try:
            to = address(asked.get("to", ""))
            proof = self._workshop.made_out(choice, to)
            await rehearse([proof], self._workshop.app.smtp())
        except (NewsletterError, ValueError) as error:
            return self._page("proof.said.html", {"well": False, "said": f"Not sent: {error}"})
        said = f"Sent to {to}. Its links change nothing."
        return self._page("proof.said.html", {"well": True, "said": said})

    async def events(self, _request: Request) -> Response:
        """Tells when the page should look again."""
        return StreamingResponse(self._news.stream(), media_type="text/event-stream")

    async def file(self, request: Request) -> Response:
        """The page's style and script."""
        name = request.url.path.removeprefix("/")
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return Response(self._files[name], media_type=kind)

    def _choice(self, asked: Asked) -> Choice:
        return choice_of(asked, self._default, THEMES)

    def _made(self, choice: Choice, *, again: bool) -> tuple[Made | None, str]:
        """The letter, or why there is none."""
        try:
            return (self._workshop.make if again else self._workshop.made)(choice), ""
        except NewsletterError as error:
            return None, str(error)

    def _letter(self, choice: Choice) -> Made:
        try:
            return self._workshop.made(choice)
        except NewsletterError as error:
            raise HTTPException(404, str(error)) from error

    def _page(self, name: str, values: Mapping[str, object]) -> Response:
        return HTMLResponse(self._set.get_template(f"web/{name}").render(values))
