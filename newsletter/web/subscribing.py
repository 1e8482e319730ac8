"""Pages to subscribe, confirm, unsubscribe, and read one's own edition.

A GET only shows; only a POST changes something.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from newsletter.errors import TokenError
from newsletter.letter.links import MAX_AGE, verify_token
from newsletter.model import LEFT, Reader, Subscriber
from newsletter.model.zones import load_zone
from newsletter.publisher.previewing import render_sample
from newsletter.readers.due import is_paused, schedule_words
from newsletter.readers.service import CONSENT_TEXT
from newsletter.web.context import PageContext, client_of, token_of
from newsletter.web.forms import (
    Form,
    InvalidFormError,
    parse_newcomer,
    rule_notes,
    unpack_form,
    with_present_topics,
    with_schedule,
    without_schedule,
)
from newsletter.web.guard import LETTER_POLICY, SCRIPT_POLICY
from newsletter.web.page_cache import MAX_ISSUE_AGE
from newsletter.web.wishes import Tried, try_wishes

LESS = ("weekly", "pause")
"""What a reader who is about to leave may choose instead."""

LEAVING_PAUSE = timedelta(weeks=2)


@dataclass(frozen=True, slots=True)
class SubscribePages:
    """The pages on the way in and out of a subscription."""

    context: PageContext

    def welcome(self, request: Request) -> Response:
        """The first page, with the form to subscribe, or one that was sent with mistakes."""
        form = unpack_form(request.query_params.get("form", ""))
        if form is None:
            named = request.query_params.getlist("topic")
            topics = [name for name in named if name in self.context.known_topics]
            return self._subscribe_page(Form({"topics": topics}), {}, 200)
        if form.one("do") == "find":
            return self._subscribe_page(form, {}, 200, try_wishes(self.context, request, form))
        try:
            self._parse(form)
        except InvalidFormError as error:
            return self._subscribe_page(form, error.problems, 422)
        return self._subscribe_page(form, {}, 200)

    def _parse(self, form: Form) -> Subscriber:
        joining, default = self.context.reader_service.joining, self.context.default_schedule
        own = without_schedule(form, default)
        known, matcher = self.context.known_topics, self.context.publisher.matcher
        return parse_newcomer(own, form.one("email"), known, joining, matcher)

    def _subscribe_page(
        self, form: Form, problems: object, status: int, tried: Tried | None = None
    ) -> Response:
        default, newest = self.context.default_schedule, self.context.page_cache.newest_issue()
        form = self.context.as_shown(form)
        page = self.context.templates.page(
            "join",
            status,
            form=with_present_topics(with_schedule(form, default), self.context.known_topics),
            problems=problems,
            plain_words=self.context.plain_words,
            notes=rule_notes(form, (), self.context.publisher.matcher),
            tried=tried or Tried(),
            topics=self.context.publisher.topics,
            default_schedule=default,
            words=self._consent_text,
            joining=self.context.reader_service.joining,
            a_week=self.context.page_cache.papers_per_week(),
            newest=newest,
            newest_word=newest and self._word_for(newest.day),
        )
        page.headers["Content-Security-Policy"] = SCRIPT_POLICY
        return page

    def _word_for(self, day: date) -> str:
        """``today`` or ``yesterday``; empty for another day."""
        zone = load_zone(self.context.default_schedule.timezone)
        ago = (self.context.now.astimezone(zone).date() - day).days
        return {0: "today", 1: "yesterday"}.get(ago, "")

    def first_page(self, _request: Request) -> Response:
        """Where the form is, for those who open the address that it is sent to."""
        return self.context.templates.redirect("/")

    def sample(self, _request: Request) -> Response:
        """The last email, as a reader who wants every paper gets it.

        Raises:
            HTTPException: there is none yet (404).
        """
        page = self.context.page_cache.page("sample", self._newest_sample, MAX_ISSUE_AGE)
        return HTMLResponse(page, headers={"Content-Security-Policy": LETTER_POLICY})

    def _newest_sample(self) -> str:
        newest = next(iter(self.context.page_cache.published()), None)
        stranger = Subscriber("you@example.org")
        made = newest and render_sample(self.context.publisher, newest, stranger)
        if not made:
            raise HTTPException(404, "There is no email to show yet.")
        # The links in it are nobody's: they lead to the form to subscribe.
        home = self.context.reader_service.page_url("")
        own = re.escape(home) + r"(preferences|unsubscribe|edition)/[^\"\s<>]*"
        return re.sub(own, home, made.html)

    def subscribe(self, request: Request, form: Form) -> Response:
        """Send a note to an address; the answer is the same whether it is a reader's or not."""
        if form.one("do") == "find":
            page = self.context.redirect_to_form("/", form, "#found")
            tried = try_wishes(self.context, request, form)
            return page or self._subscribe_page(form, {}, 200, tried)
        try:
            wanted = self._parse(form)
        except InvalidFormError as error:
            page = self.context.redirect_to_form("/", form)
            return page or self._subscribe_page(form, error.problems, 422)
        if busy := self.context.refuse_if_busy(request):
            return busy
        service, now, keep = self.context.reader_service, self.context.now, form.has("keep")
        self.context.mail_queue.add(
            lambda send: service.subscribe(wanted, None, send, now, keep=keep)
        )
        return self.context.redirect_to_sent(wanted.email)

    def show_sent(self, request: Request) -> Response:
        """The page that says that a note is on its way; its link carries the address."""
        service, token = self.context.reader_service, token_of(request)
        email = verify_token(token, "sent", service.keys, self.context.now, MAX_AGE["sent"])
        return self.context.templates.page(
            "sent",
            email=email,
            before="before" in request.query_params,
            contact=service.contact,
        )

    def ask_to_confirm(self, request: Request) -> Response:
        """The page that the confirmation link opens, with a button to confirm."""
        reader, _ = self.context.verify_link(request, "confirm")
        return self.context.templates.page(
            "confirm",
            email=reader.subscriber.email,
            words=self._consent_text,
            choices=self.context.choices(reader),
        )

    def confirm(self, request: Request, _form: Form) -> Response:
        """Confirm a reader; their first letter, or a welcome, is sent at once."""
        service, now = self.context.reader_service, self.context.now
        service.confirm(token_of(request), now, self.context.welcome)
        return self.context.templates.redirect(f"/confirm/{token_of(request)}/done")

    def show_confirmed(self, request: Request) -> Response:
        """The page for a reader who has confirmed, with the link to the preferences."""
        reader, _ = self.context.verify_link(request, "confirm")
        if reader.status not in {"confirmed", "waiting"}:
            return self.ask_to_confirm(request)
        return self.context.templates.page(
            "confirmed",
            email=reader.subscriber.email,
            preferences=self.context.reader_service.preferences_url(reader, self.context.now),
            newest=next(iter(self.context.page_cache.published()), None),
            first=True,
            waiting=reader.status == "waiting",
            choices=self.context.choices(reader),
            next=self._next_of_returned(reader),
        )

    def _next_of_returned(self, reader: Reader) -> date | None:
        """When a reader who has come back gets the next email; newcomers get one at once."""
        returned = len(self.context.publisher.store.consents(reader.id)) > 1
        return self.context.next_day(reader) if returned else None

    @property
    def _consent_text(self) -> str:
        return CONSENT_TEXT.format(name=self.context.reader_service.publication.name)

    def ask_to_unsubscribe(self, request: Request) -> Response:
        """The page that an email's unsubscribe link opens: a question, with its buttons.

        It says what was done for a reader who chose fewer emails there. One who has left already
        sees that.
        """
        token = token_of(request)
        reader = self.context.reader_service.find_leaving(token, self.context.now)
        if reader is None or reader.status in LEFT:
            return self._show_left(request, reader)
        offers, done = self._offers(reader), request.query_params.get("done", "")
        return self.context.templates.page(
            "unsubscribe",
            email=reader.subscriber.email,
            token=token,
            done=done if done in LESS and done not in offers else "",
            offers=offers,
            schedule=schedule_words(reader.subscriber, self.context.default_schedule),
            until=reader.subscriber.paused_until,
            next=self.context.next_day(reader),
        )

    def _offers(self, reader: Reader) -> Sequence[str]:
        """What a reader may choose instead of leaving, without what they have already."""
        if reader.status != "confirmed":
            return ()
        paused = is_paused(reader.subscriber, self.context.today(reader))
        weekly = self.context.is_weekly(reader)
        return ([] if weekly else ["weekly"]) + ([] if paused else ["pause"])

    def unsubscribe_one_click(self, request: Request) -> Response:
        """Unsubscribe by a mail program's one click (RFC 8058); no email follows it.

        The body is not read: mail programs send it in several encodings.
        """
        self.context.reader_service.unsubscribe(token_of(request), self.context.now)
        return self.show_farewell(request)

    def unsubscribe(self, request: Request, form: Form) -> Response:
        """Do what the page's button says; one last email confirms that a reader left."""
        service, now, client = self.context.reader_service, self.context.now, client_of(request)
        token, do = token_of(request), form.one("do")
        if do in LESS:
            return self._send_less(service.find_leaving(token, now), do, token)
        before = service.unsubscribe(token, now)
        if before is not None:
            self.context.mail_queue.add(
                lambda send: service.send_farewell(before, client, send, now)
            )
        return self.context.templates.redirect(f"/farewell/{token}")

    def _send_less(self, reader: Reader | None, do: str, token: str) -> Response:
        """Make a reader's emails weekly, or pause them; a second press changes nothing."""
        service, now = self.context.reader_service, self.context.now
        if reader is not None and do in self._offers(reader):
            if do == "weekly":
                service.choose_weekly(reader, now)
            else:
                service.pause(reader, self.context.today(reader) + LEAVING_PAUSE, now)
        return self.context.templates.redirect(f"/leave/{token}?done={do}")

    def show_farewell(self, request: Request) -> Response:
        """The page for a reader who has left; it asks why, until they have said it."""
        reader = self.context.reader_service.find_leaving(token_of(request), self.context.now)
        if reader is not None and reader.status not in LEFT:
            return self.ask_to_unsubscribe(request)
        return self._show_left(request, reader)

    def _show_left(self, request: Request, reader: Reader | None) -> Response:
        return self.context.templates.page(
            "farewell",
            email=reader and reader.subscriber.email,
            token=token_of(request),
            said="said" in request.query_params,
            may_return=reader is not None and reader.status == "unsubscribed",
            data=reader and self._data_url(reader, token_of(request)),
        )

    def _data_url(self, reader: Reader, token: str) -> str:
        """Where a reader who left can delete their data; empty if they came by an old email.

        An unsubscribe link is valid forever, and must not become more than the link to the
        preferences in the same email.
        """
        service, now = self.context.reader_service, self.context.now
        try:
            verify_token(token, "unsubscribe", service.keys, now, MAX_AGE["preferences"])
        except TokenError:
            return ""
        return service.data_url(reader, now)

    def answer_farewell(self, request: Request, form: Form) -> Response:
        """Store why a reader unsubscribed, if they say so; or send the link to come back."""
        token, service, now = token_of(request), self.context.reader_service, self.context.now
        if form.one("do") != "return":
            service.record_reason(token, form.one("why"), now)
            said = "?said=yes" if form.one("why") else ""
            return self.context.templates.redirect(f"/farewell/{token}{said}")
        reader = service.find_leaving(token, now)
        if reader is None or reader.status != "unsubscribed":
            return self.context.templates.redirect(f"/farewell/{token}")
        return self.context.ask_back(request, reader)

    def edition(self, request: Request) -> Response:
        """All papers of a reader's own edition of a day."""
        reader, text = self.context.verify_link(request, "edition")
        day = date.fromisoformat(text)
        found = self.context.page_cache.full_edition(reader, day)
        if found is None and self.context.page_cache.was_removed(day):
            raise HTTPException(410, "We no longer keep your email of that day.")
        if found is None:
            raise HTTPException(404, "You had no email on that day.")
        _, blocks = found
        compares = self.context.publisher.matcher.compares
        return self.context.templates.page(
            "edition", day=day, blocks=blocks, token=token_of(request), asks=compares
        )

    async def file(self, request: Request) -> Response:
        """The style sheet of every page, or a script that makes a page handier."""
        name = request.url.path.rpartition("/")[2]
        style = name.endswith(".css")
        text = self.context.templates.style if style else read_script(SCRIPTS[name])
        kind = "text/css" if style else "text/javascript"
        return Response(text, media_type=kind, headers={"Cache-Control": "public, max-age=3600"})


SCRIPTS = {"htmx.js": "htmx.min.js", "when.js": "when.js"}
"""The scripts of the pages, each with its file in ``newsletter/data``."""


@cache
def read_script(name: str) -> str:
    """A script as ``newsletter/data`` has it."""
    return files("newsletter").joinpath("data", name).read_text(encoding="utf-8")
