"""The preferences: what a reader gets, changed by the reader, who came by a signed link."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.model import SUBSCRIBER_FIELDS, WEEKDAYS, Reader, Subscriber
from newsletter.papers.topics import followed_topics, lost_topics, names_to_choose
from newsletter.publisher.previewing import preview_on
from newsletter.readers.due import is_paused, schedule_words
from newsletter.readers.service import keep_fields
from newsletter.web.context import PageContext, near_day, token_of
from newsletter.web.exporting import data_of
from newsletter.web.forms import (
    Form,
    InvalidFormError,
    asks_more,
    changed_fields,
    fill_form,
    fill_form_as_stored,
    parse_newcomer,
    parse_subscriber,
    rule_notes,
    unpack_form,
    with_present_topics,
    with_rules,
    with_schedule,
)
from newsletter.web.guard import SCRIPT_POLICY
from newsletter.web.likes import liked_papers
from newsletter.web.wishes import Tried, try_wishes

PAUSE_WEEKS = (1, 2, 4)  # how many weeks a pause may last

SHOWN = 10  # titles of a day that are shown

TRIES = ("try", "find", "glance")  # by one of two buttons, and while the reader is typing

PLACES = {"try": "#preview", "find": "#found"}
"""Where on the page its result is, by the button."""

DONE = {
    "saved": "Saved.",
    "paused": "",  # the page says it on every visit during a pause
    "resumed": "Your emails are back on.",
    "weekly": "From now on you'll get one email a week, on {weekday}s.",
}
"""What the page says was done, by the word that the address has after it."""

DEFAULT_VALUES: dict[str, object] = {
    "problems": {},
    "done": "",
    "note": "",
    "trials": None,
    "tried": Tried(),
    "glanced": False,
}
"""Values of the page's template that only some requests set."""


Button = Callable[[Request, Reader, Form], Response]


@dataclass(frozen=True, slots=True)
class PreferencePages:
    """The preferences, the export of a reader's data, and the page that confirms a new address."""

    context: PageContext

    def show(self, request: Request) -> Response:
        """The preferences; a choice in the address is filled in, but not saved."""
        reader, _ = self.context.verify_link(request, "preferences")
        tried = unpack_form(request.query_params.get("form", ""))
        if tried is not None:
            return self._show_form(request, reader, tried)
        if question := self._question(request, reader):
            return question
        form, note = self._with_wish(request, reader, self._form_of(reader))
        done = self._done_words(reader, request.query_params.get("done", ""))
        problems = {} if _is_usable(reader) else self._mistakes(reader, form)
        return self._page(request, reader, form, problems=problems, done=done, note=note)

    def _question(self, request: Request, reader: Reader) -> Response | None:
        """The question that an email's link asks, with its one button; None without such a link.

        Nobody is asked for what they have.
        """
        weeks = request.query_params.get("pause", "")
        weekly = request.query_params.get("cadence") == "weekly"
        asks = (
            "pause"
            if _is_pause(weeks)
            else "weekly"
            if weekly and not self.context.is_weekly(reader)
            else ""
        )
        if not asks or reader.status != "confirmed":
            return None
        wanted = replace(reader.subscriber, cadence="weekly")
        return self.context.templates.page(
            "question",
            asks=asks,
            email=reader.subscriber.email,
            weeks=weeks,
            schedule=schedule_words(wanted, self.context.default_schedule),
            token=token_of(request),
        )

    def _done_words(self, reader: Reader, done: str) -> str:
        """What the page says was done, as long as it is so, and when the next email comes."""
        words = DONE.get(done, "").format(weekday=WEEKDAYS[reader.subscriber.day])
        if done not in {"resumed", "weekly"} or reader.status != "confirmed":
            return words
        paused = is_paused(reader.subscriber, self.context.today(reader))
        if paused or (done == "weekly" and not self.context.is_weekly(reader)):
            return ""
        following = self.context.next_day(reader)
        return f"{words} Next: {near_day(following)}." if following else words

    def _with_wish(self, request: Request, reader: Reader, form: Form) -> tuple[Form, str]:
        """The form with what an email's link asks to change, and what the page says about it."""
        if request.query_params.get("cadence") == "weekly" and self.context.is_weekly(reader):
            return form, "You already get one email a week."
        for word, wish in (("more", self._with_more), ("less", self._with_less)):
            topic = self.context.known_topics.get(request.query_params.get(word, ""))
            if topic is not None:
                return wish(form, topic)
        return form, ""

    def _with_more(self, form: Form, topic: str) -> tuple[Form, str]:
        """The form with a topic selected; who gets every paper keeps that."""
        if not form.all("topics") and not asks_more(form):
            return form, f"You already get every paper, so you get all of {topic}."
        if topic in form.all("topics"):
            return form, f"You already follow {topic}."
        selected = form.with_values("topics", *form.all("topics"), topic)
        return selected, f"{topic} selected. Save to confirm."

    def _with_less(self, form: Form, topic: str) -> tuple[Form, str]:
        """The form without a topic; no selected topic would mean every paper."""
        had = form.all("topics")
        if not had and asks_more(form):
            return form, f"You don't follow {topic}. Your filters below bring those papers."
        rest = [name for name in had or self.context.topic_names if name != topic]
        if not rest and not asks_more(form):
            return form, f"{topic} is your only topic. Without it you would get every paper."
        changed = form.with_values("topics", *rest)
        if had:
            return changed, f"{topic} deselected. Save to confirm."
        return changed, f"Every topic but {topic} selected. Save to confirm."

    def _form_of(self, reader: Reader) -> Form:
        """The form with what a reader chose; a topic that has another name now under that one."""
        form = fill_form(reader.subscriber)
        if not _is_usable(reader):
            stored = self.context.publisher.store.stored_settings(reader.id)
            form = fill_form_as_stored(reader.subscriber.email, stored)
        form = with_schedule(self.context.as_shown(form), self.context.default_schedule)
        return with_present_topics(form, self.context.known_topics)

    def change(self, request: Request, form: Form) -> Response:
        """Do what the button that was pressed says, or show what is wrong in the form."""
        reader, _ = self.context.verify_link(request, "preferences")
        do = form.one("do")
        problems = self._problems(reader, form)
        if do in TRIES or problems:
            place = "" if problems else PLACES.get(do, "")
            page = None
            if do != "glance":
                page = self.context.redirect_to_form(_path(request), form, place)
            return page or self._show_form(request, reader, form)
        button = self._buttons.get(do)
        if button is None:
            raise HTTPException(400, "This page has no such button.")
        return button(request, reader, form)

    @property
    def _buttons(self) -> Mapping[str, Button]:
        """What each button does that changes something."""
        return {
            "save": self._save,
            "pause": self._pause,
            "resume": self._resume,
            "weekly": self._choose_weekly,
            "return": self._ask_back,
            "move": self._request_move,
            "erase": self._erase,
        }

    def _problems(self, reader: Reader, form: Form) -> Mapping[str, Sequence[str]]:
        """What is wrong in the fields that belong to the button that was pressed."""
        try:
            match form.one("do"):
                case "move":
                    self._new_email(form.one("email"))
                case "erase" if form.one("sure") != "yes":
                    return {"sure": ["Tick the box above “Delete my data” first"]}
                case "save" | "try" | "find" | "glance":
                    return self._mistakes(reader, form)
        except InvalidFormError as error:
            return error.problems
        return {}

    def _mistakes(self, reader: Reader, form: Form) -> Mapping[str, Sequence[str]]:
        try:
            self._choices(reader, form)
        except InvalidFormError as error:
            return error.problems
        return {}

    def _show_form(self, request: Request, reader: Reader, form: Form) -> Response:
        """A form that was sent, with what is wrong in it, or with what its filter would bring.

        Nothing is saved.
        """
        do, problems = form.one("do"), self._problems(reader, form)
        if do in {"move", "erase"}:
            form = self._form_of(reader).with_values("email", form.one("email"))
        if problems:
            values = {"glanced": do == "glance", "tried": try_wishes(self.context, request, form)}
            return self._page(request, reader, form, problems=problems, status=422, **values)
        if do not in TRIES:
            return self._page(request, reader, form)
        wanted, _ = self._choices(reader, form)
        days = self.context.page_cache.last_days(self.context.today(reader))
        (trials,) = preview_on(self.context.publisher, days, [wanted], SHOWN)
        tried = try_wishes(self.context, request, form)
        return self._page(request, reader, form, trials=trials, tried=tried)

    def _save(self, request: Request, reader: Reader, form: Form) -> Response:
        wanted, names = self._choices(reader, form)
        if names:
            before = reader.subscriber.filter
            shown = replace(before, topics=tuple(self._form_of(reader).all("topics")))
            known = replace(reader, subscriber=replace(reader.subscriber, filter=shown))
            self.context.reader_service.choose(known, wanted, self.context.now, names)
        return self._done(request, "saved")

    def _choices(self, reader: Reader, form: Form) -> tuple[Subscriber, frozenset[str]]:
        """The subscriber that a reader's form describes, and the fields that they changed in it.

        If stored settings cannot be used, every field has to be right before any is saved.

        Raises:
            InvalidFormError: a field has a mistake.
        """
        shown = self._form_of(reader)
        known = self.context.known_topics
        lost = lost_topics(shown.all("topics"), known)
        # A template of the operator's may not show them: then their boxes say nothing.
        unseen = (name for name in lost if name not in form.all("lost"))
        form = with_present_topics(form.with_values("topics", *form.all("topics"), *unseen), known)
        form = with_rules(form, shown)
        names = changed_fields(form, with_rules(shown))
        topics = names_to_choose(lost, known)
        before = reader.subscriber
        matcher = self.context.publisher.matcher
        if not _is_usable(reader):
            return parse_subscriber(form, before.email, topics, matcher), names
        changed = parse_subscriber(form.only(names), before.email, topics, matcher)
        return keep_fields(before, changed, SUBSCRIBER_FIELDS.keys() - names), names

    def _pause(self, request: Request, reader: Reader, form: Form) -> Response:
        if not _is_pause(form.one("weeks")):
            raise HTTPException(400, "Choose a pause of 1, 2 or 4 weeks.")
        until = self.context.today(reader) + timedelta(weeks=int(form.one("weeks")))
        self.context.reader_service.pause(reader, until, self.context.now)
        return self._done(request, "paused")

    def _resume(self, request: Request, reader: Reader, _form: Form) -> Response:
        self.context.reader_service.pause(reader, None, self.context.now)
        return self._done(request, "resumed")

    def _choose_weekly(self, request: Request, reader: Reader, _form: Form) -> Response:
        self.context.reader_service.choose_weekly(reader, self.context.now)
        return self._done(request, "weekly")

    def _erase(self, _request: Request, reader: Reader, _form: Form) -> Response:
        self.context.reader_service.erase(reader, self.context.now)
        return self.context.templates.redirect("/erased")

    def _ask_back(self, request: Request, reader: Reader, _form: Form) -> Response:
        """Send a reader who unsubscribed the link that brings them back."""
        if reader.status != "unsubscribed":
            return self._done(request, "")
        return self.context.ask_back(request, reader)

    def _request_move(self, request: Request, reader: Reader, form: Form) -> Response:
        service, now = self.context.reader_service, self.context.now
        if reader.origin == "file":
            raise HTTPException(400, "The editor manages your address. Ask them to change it.")
        email = self._new_email(form.one("email"))
        if busy := self.context.refuse_if_busy(request):
            return busy
        self.context.mail_queue.add(
            lambda send: service.request_new_email(reader, email, None, send, now)
        )
        return self.context.redirect_to_sent(email)

    def _new_email(self, typed: str) -> str:
        """The address that a reader wants to move to; raises as :func:`parse_newcomer`."""
        return parse_newcomer(Form({}), typed, {}, self.context.reader_service.joining).email

    def ask_to_move(self, request: Request) -> Response:
        """The page that the link sent to a new address opens, with a button to confirm."""
        reader, email = self.context.verify_link(request, "move")
        return self.context.templates.page("move", email=email, before=reader.subscriber.email)

    def move(self, request: Request, _form: Form) -> Response:
        """Give a reader the new address."""
        self.context.reader_service.confirm_new_email(token_of(request), self.context.now)
        return self.context.templates.redirect(f"/move/{token_of(request)}/done")

    def show_moved(self, request: Request) -> Response:
        """The page for a reader whose letters go to the new address."""
        reader, email = self.context.verify_link(request, "move")
        if reader.subscriber.email != email:
            return self.ask_to_move(request)
        preferences = self.context.reader_service.preferences_url(reader, self.context.now)
        return self.context.templates.page(
            "confirmed",
            email=email,
            preferences=preferences,
            newest=None,
            first=False,
            waiting=False,
            choices="",
            next=None,
        )

    def show_erased(self, _request: Request) -> Response:
        """The page for a reader whose data has been deleted; it is the same for everybody."""
        return self.context.templates.page("erased")

    def _done(self, request: Request, done: str) -> Response:
        return self.context.templates.redirect(f"{_path(request)}?done={done}")

    def _page(
        self, request: Request, reader: Reader, form: Form, *, status: int = 200, **values: object
    ) -> Response:
        """The preferences with this form; ``values`` are as in :data:`DEFAULT_VALUES`."""
        service, now = self.context.reader_service, self.context.now
        known, wants = self.context.known_topics, reader.subscriber.filter
        form = with_schedule(self.context.as_shown(form), self.context.default_schedule)
        lost_all = bool(wants.topics) and not followed_topics(wants.topics, known)
        page = self.context.templates.page(
            "preferences",
            status,
            **DEFAULT_VALUES | values,
            form=with_present_topics(form, known),
            lost_all=lost_all and not wants.include,
            notes=rule_notes(form, self.context.paper_fields, self.context.publisher.matcher),
            paper_fields=self.context.paper_fields,
            reader=reader,
            plain_words=self.context.plain_words,
            topics=self.context.publisher.topics,
            default_schedule=self.context.default_schedule,
            a_week=self.context.page_cache.papers_per_week(),
            pauses=PAUSE_WEEKS,
            likes=liked_papers(self.context, reader),
            paused=is_paused(reader.subscriber, self.context.today(reader)),
            max_items=self.context.publisher.max_items,
            contact=service.contact,
            token=token_of(request),
            leave=service.signed_url("unsubscribe", str(reader.id), now),
            feed=service.feed_url(reader, now),
        )
        page.headers["Content-Security-Policy"] = SCRIPT_POLICY
        return page

    def export(self, request: Request) -> Response:
        """Everything that is stored about a reader, as a JSON file."""
        reader, _ = self.context.verify_link(request, "preferences")
        return Response(
            json.dumps(data_of(self.context, reader), ensure_ascii=False, indent=2),
            media_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="my-subscription.json"'},
        )


def _is_usable(reader: Reader) -> bool:
    """Whether everything that is stored of a reader's settings can be used."""
    return not (reader.fault or reader.fallback)


def _path(request: Request) -> str:
    return f"/preferences/{token_of(request)}"


def _is_pause(weeks: str) -> bool:
    """Whether this text is a number of weeks that a pause may last."""
    return weeks in map(str, PAUSE_WEEKS)
