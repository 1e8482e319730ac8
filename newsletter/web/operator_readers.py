"""The operator's pages for readers: search them, show one, and act; each act is recorded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.config.subscribers import to_entry
from newsletter.errors import UsageError
from newsletter.model import SUBSCRIBER_FIELDS, Reader, Status
from newsletter.model.closed_sets import complete
from newsletter.readers.due import is_paused
from newsletter.readers.erasing import is_erased
from newsletter.readers.operating import OPERATORS_PAGE, OperatorService
from newsletter.readers.service import Note
from newsletter.web.context import PageContext
from newsletter.web.forms import Form, number_of
from newsletter.web.operator_login import OperatorLogin

SHOWN = 50  # readers on one page
MAX_QUERY = 200  # characters of a search
USUAL_PAUSE = timedelta(weeks=2)

ActName = Literal[
    "resend", "approve", "decline", "pause", "resume", "unsubscribe", "block", "unblock", "erase"
]


@dataclass(frozen=True, slots=True)
class Act:
    """A button: what it says, and what the page says when it is done.

    ``sure``: what a page of its own asks first, if this cannot be undone; else empty.
    """

    button: str
    done: str
    sure: str = ""


ACTS: Mapping[ActName, Act] = complete(
    "ACTS",
    get_args(ActName),
    {
        "resend": Act("Send the confirmation again", "The confirmation is on its way."),
        "approve": Act("Approve", "Approved. They now get emails."),
        "decline": Act("Decline", "Declined. They get no emails."),
        "pause": Act("Pause", "Paused."),
        "resume": Act("Resume", "Resumed."),
        "unsubscribe": Act(
            "Unsubscribe",
            "Unsubscribed.",
            "They get no more emails. Only they can subscribe again.",
        ),
        "block": Act("Block", "Blocked. They get no emails, whatever they do on the pages."),
        "unblock": Act("Unblock", "Unblocked. They get emails again."),
        "erase": Act(
            "Erase",
            "Erased. Nothing about this reader is left.",
            "The address, the choices and the consents are deleted. This cannot be undone.",
        ),
    },
)
"""The acts of the operator's page."""

OFFERED: Mapping[Status, tuple[ActName, ...]] = complete(
    "OFFERED",
    get_args(Status),
    {
        "unconfirmed": ("resend", "erase"),
        "waiting": ("approve", "decline", "block", "erase"),
        "confirmed": ("pause", "resume", "block", "unsubscribe", "erase"),
        "unsubscribed": ("erase",),
        "blocked": ("unblock", "erase"),
        "removed": ("erase",),
    },
)
"""Which acts the page offers for a reader of each status."""


FIELD_WORDS: Mapping[str, str] = complete(
    "FIELD_WORDS",
    SUBSCRIBER_FIELDS,
    {
        "email": "Address",
        "name": "Name",
        "topics": "Topics",
        "include": "Include",
        "exclude": "Exclude",
        "min_upvotes": "Minimum upvotes",
        "max_items": "Maximum papers",
        "breadth": "Matches",
        "cadence": "How often",
        "day": "Weekday",
        "paused_until": "Paused until",
        "at": "Time",
        "timezone": "Time zone",
        "summary": "Summaries",
    },
)
"""What the page calls each of a reader's choices."""


@dataclass(frozen=True, slots=True)
class OperatorReaderPages:
    """The pages behind the operator's password that name readers."""

    context: PageContext
    login: OperatorLogin

    def search(self, request: Request) -> Response:
        """Readers by part of address or name and by status, newest first, a page at a time."""
        query = request.query_params
        words, chosen = query.get("q", "")[:MAX_QUERY].strip(), query.get("status", "")
        status = next((each for each in get_args(Status) if each == chosen), None)
        store = self.context.publisher.store
        found = store.search_readers(
            words, status=status, before=number_of(query.get("before", "")), limit=SHOWN + 1
        )
        done = ACTS["erase"].done if query.get("done") == "erase" else ""
        return self.context.templates.page(
            "operator-readers",
            words=words,
            status=status,
            tally=store.count_readers(),
            readers=found[:SHOWN],
            more=found[SHOWN - 1].id if len(found) > SHOWN else None,
            done=done,
        )

    def show(self, request: Request) -> Response:
        """One reader, with everything that helps to answer their question."""
        done = request.query_params.get("done", "")
        said = next((act.done for name, act in ACTS.items() if name == done), "")
        return self._page(self._reader(request), said=said)

    def ask(self, request: Request) -> Response:
        """The page that asks before something that cannot be undone."""
        reader, act = self._reader(request), _named(request.path_params["act"])
        if not ACTS[act].sure or act not in OFFERED[reader.status]:
            raise HTTPException(404)
        return self.context.templates.page(
            "operator-sure",
            reader=reader,
            name=act,
            act=ACTS[act],
            form=self.login.sign_form(reader),
        )

    def act(self, request: Request, form: Form) -> Response:
        """Do what a form says."""
        reader = self._reader(request)
        self.login.check_form(form, reader)
        act, path = _named(form.one("do")), f"/operator/readers/{reader.id}"
        if ACTS[act].sure and form.one("sure") != "yes":
            return self.context.templates.redirect(f"{path}/{act}")
        try:
            self._do(act, reader, form)
        except UsageError as error:
            return self._page(self._reader(request), 409, problem=str(error))
        path = "/operator/readers" if act == "erase" else path
        return self.context.templates.redirect(f"{path}?done={act}")

    def _do(self, act: ActName, reader: Reader, form: Form) -> None:
        """Do one act.

        Raises:
            UsageError: it is not possible now.
        """
        operator, now = self.context.operator(OPERATORS_PAGE), self.context.now
        does: Mapping[ActName, Callable[[], object]] = {
            "resend": lambda: self._resend(operator, reader),
            "approve": lambda: operator.approve(reader, now, self.context.welcome),
            "decline": lambda: operator.decline(reader, now),
            "pause": lambda: operator.pause(reader, _day(form.one("until")), now),
            "resume": lambda: operator.resume(reader, now),
            "unsubscribe": lambda: operator.unsubscribe(reader, now),
            "block": lambda: operator.block(reader, now, form.one("why")[:MAX_QUERY]),
            "unblock": lambda: operator.unblock(reader, now),
            "erase": lambda: operator.erase(reader, now),
        }
        does[act]()

    def _resend(self, operator: OperatorService, reader: Reader) -> None:
        def send(note: Note) -> None:
            self.context.mail_queue.add(lambda queue: queue(note))

        operator.resend_confirmation(reader, send, self.context.now)

    def _reader(self, request: Request) -> Reader:
        number = number_of(request.path_params["id"])
        reader = number and self.context.publisher.store.reader_by_id(number)
        if not reader or is_erased(reader):
            raise HTTPException(404, "That reader doesn't exist.")
        return reader

    def _page(
        self, reader: Reader, code: int = 200, *, said: str = "", problem: str = ""
    ) -> Response:
        today = self.context.today(reader)
        paused = is_paused(reader.subscriber, today)
        offered = [*OFFERED[reader.status]]
        if "pause" in offered:
            offered.remove("pause" if paused else "resume")
        entry = to_entry(reader.subscriber)
        choices = {FIELD_WORDS[name]: entry[name] for name in entry if name != "email"}
        return self.context.templates.page(
            "operator-reader",
            code,
            found=self.context.operator(OPERATORS_PAGE).describe(reader, self.context.now),
            choices=choices,
            offered={name: ACTS[name] for name in offered},
            paused=paused,
            tomorrow=today + timedelta(days=1),
            until=today + USUAL_PAUSE,
            form=self.login.sign_form(reader),
            said=said,
            problem=problem,
        )


def _named(text: str) -> ActName:
    for name in ACTS:
        if name == text:
            return name
    raise HTTPException(404)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date; write it as 2026-08-03") from error
