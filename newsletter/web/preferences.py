"""The preferences: what a reader gets, changed by the reader, who came by a signed link."""

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from newsletter.config.subscribers import as_entry
from newsletter.model import Reader
from newsletter.publisher.filter_preview import try_out
from newsletter.readers.cadence import is_paused
from newsletter.web.browser import Form
from newsletter.web.context import PageContext, both, client_of, shows, token_of
from newsletter.web.forms import WrongFieldsError, filled, wanted
from newsletter.web.guard import SCRIPTED

PAUSES = (1, 2, 4)
"""The weeks a pause may last."""

WEEKS = frozenset(map(str, PAUSES))
"""The same as forms and addresses say them."""

TRIED_DAYS = {"try": 7, "glance": 2}
"""How many days a filter is tried on: when asked for, and while one writes."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A reader who came by a link, whose token the page's own addresses carry on."""

    token: str
    reader: Reader


@dataclass(frozen=True, slots=True)
class PreferencePages:
    """The pages of the preferences.

    Attributes:
        page_context: what all pages share.
    """

    page_context: PageContext

    @property
    def routes(self) -> list[BaseRoute]:
        """The pages and what they answer to."""
        return [
            *both("/preferences/{token}", self.preferences, self.change),
            Route("/preferences/{token}/export.json", shows(self.export)),
            *both("/move/{token}", self.ask_move, self.move),
        ]

    def preferences(self, request: Request, _form: Form) -> Response:
        """What a reader gets; a choice named in the address is made, and not yet saved."""
        visit = self._preferring(request)
        form = filled(visit.reader.subscriber)
        if request.query_params.get("cadence") == "weekly":
            form = form.having("cadence", "weekly")
        asked = {"more": "", "less": ""}
        for word in ("more", "less"):
            topic = request.query_params.get(word, "")
            if topic in {each.name for each in self.page_context.publisher.topics}:
                form = self._with_topic(form, topic, more=word == "more")
                asked[word] = topic
        weeks = request.query_params.get("pause", "")
        return self._preferences(visit, form, offered=weeks if weeks in WEEKS else "", asked=asked)

    def _with_topic(self, form: Form, topic: str, *, more: bool) -> Form:
        """A form with a topic ticked or not; whoever gets every paper is left with the others."""
        names = [each.name for each in self.page_context.publisher.topics]
        chosen = form.all("topics") or ([] if more or form.one("include") else names)
        ticked = {*chosen, topic} if more else {*chosen} - {topic}
        return form.having("topics", *(name for name in names if name in ticked))

    def change(self, request: Request, form: Form) -> Response:
        """A reader changed something: the button says what."""
        visit = self._preferring(request)
        match form.one("do"):
            case "save" | "try" | "glance":
                return self._save(visit, form)
            case "pause" | "resume" as do:
                return self._pause(visit, form.one("weeks") if do == "pause" else "")
            case "move":
                return self._move(visit, form, client_of(request))
            case "erase":
                return self._erase(visit, form)
            case _:
                raise HTTPException(400, "This button is not one of ours.")

    def _save(self, visit: Visit, form: Form) -> Response:
        reader = visit.reader
        names = [topic.name for topic in self.page_context.publisher.topics]
        try:
            subscriber = wanted(form, reader.subscriber.email, names)
        except WrongFieldsError as error:
            glanced = form.one("do") == "glance"
            return self._preferences(
                visit, form, problems=error.problems, glanced=glanced, status=422
            )
        if days := TRIED_DAYS.get(form.one("do")):
            trials = try_out(
                self.page_context.publisher, subscriber, self.page_context.today(reader), days
            )
            return self._preferences(visit, form, trials=trials)
        changed = self.page_context.reader_service.choose(reader, subscriber, self.page_context.now)
        return self._saved(visit, changed, "Saved.")

    def _saved(self, visit: Visit, changed: Reader, said: str) -> Response:
        return self._preferences(
            replace(visit, reader=changed), filled(changed.subscriber), saved=said
        )

    def _pause(self, visit: Visit, weeks: str) -> Response:
        reader = visit.reader
        until: date | None = None
        if weeks:
            if weeks not in WEEKS:
                raise HTTPException(400, "A pause lasts 1, 2 or 4 weeks.")
            until = self.page_context.today(reader) + timedelta(weeks=int(weeks))
        changed = self.page_context.reader_service.pause(reader, until, self.page_context.now)
        said = "Your letters pause." if until else "Your letters come again."
        return self._saved(visit, changed, said)

    def _move(self, visit: Visit, form: Form, client: str) -> Response:
        here, reader, now = self.page_context.reader_service, visit.reader, self.page_context.now
        if reader.origin == "file":
            raise HTTPException(400, "The editor keeps your address; ask them to change it.")
        try:
            asked = wanted(Form({}), form.one("email"), ())
        except WrongFieldsError as error:
            filled_in = filled(reader.subscriber).having("email", form.one("email"))
            return self._preferences(visit, filled_in, problems=error.problems, status=422)
        self.page_context.mail_queue.later(
            lambda post: here.request_new_email(reader, asked.email, client, post, now)
        )
        return self.page_context.pages.show("sent", email=asked.email)

    def ask_move(self, request: Request, _form: Form) -> Response:
        """The page the letter to a new address leads to; its button says yes."""
        reader, email = self.page_context.reader_service.verify_link(
            token_of(request), "move", self.page_context.now
        )
        return self.page_context.pages.show("move", email=email, before=reader.subscriber.email)

    def move(self, request: Request, _form: Form) -> Response:
        """They said yes."""
        reader = self.page_context.reader_service.confirm_new_email(
            token_of(request), self.page_context.now
        )
        link = self.page_context.reader_service.preferences_url(reader, self.page_context.now)
        return self.page_context.pages.show(
            "confirmed", email=reader.subscriber.email, preferences=link, newest=None, first=False
        )

    def _erase(self, visit: Visit, form: Form) -> Response:
        if form.one("sure") != "yes":
            problems = {"sure": ["tick this first: it cannot be undone"]}
            form = filled(visit.reader.subscriber)
            return self._preferences(visit, form, problems=problems, status=422)
        self.page_context.reader_service.erase(visit.reader, self.page_context.now)
        return self.page_context.pages.show("erased")

    def _preferences(
        self, visit: Visit, form: Form, *, status: int = 200, **values: object
    ) -> Response:
        reader = visit.reader
        known: dict[str, object] = {
            "problems": {},
            "saved": "",
            "offered": "",
            "trials": None,
            "asked": {},
            "glanced": False,
        }
        shown = self.page_context.pages.show(
            "preferences",
            status,
            **{**known, **values},
            form=form,
            reader=reader,
            topics=self.page_context.publisher.topics,
            default_schedule=self.page_context.default_schedule,
            a_week=self.page_context.page_cache.a_week(),
            pauses=PAUSES,
            paused=is_paused(reader.subscriber, self.page_context.today(reader)),
            token=visit.token,
            feed=self.page_context.reader_service.feed_url(reader, self.page_context.now),
        )
        shown.headers["Content-Security-Policy"] = SCRIPTED
        return shown

    def export(self, request: Request, _form: Form) -> Response:
        """All that is kept of a reader, as JSON."""
        record = self.page_context.reader_service.export(self._preferring(request).reader)
        reader = record.reader
        document = {
            "subscription": as_entry(reader.subscriber),
            "status": reader.status,
            "consents": [
                {"at": consent.at.isoformat(), "how": consent.how, "to": consent.text}
                for consent in record.consents
            ],
            "letters": [
                {"day": letter.day.isoformat(), "state": letter.state} for letter in record.letters
            ],
            "farewells": [
                {"day": each.day.isoformat(), "said": each.said} for each in record.farewells
            ],
        }
        return Response(
            json.dumps(document, ensure_ascii=False, indent=2),
            media_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="my-subscription.json"'},
        )

    def _preferring(self, request: Request) -> Visit:
        token = token_of(request)
        return Visit(
            token,
            self.page_context.reader_service.verify_link(
                token, "preferences", self.page_context.now
            )[0],
        )
