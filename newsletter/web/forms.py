"""Forms: reading what a browser sent, and turning it into a subscriber and back."""

import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import assert_never
from urllib.parse import parse_qs, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request

from newsletter.config.rules import rule_advice
from newsletter.config.subscribers import Plain, plain_values, subscriber_from_entry
from newsletter.config.yaml_file import Value
from newsletter.errors import ConfigurationError, InvalidFileError
from newsletter.model import SUBSCRIBER_FIELDS, WEEKDAYS, FormField, Subscriber
from newsletter.papers.advice import find_condition
from newsletter.ports import Matcher
from newsletter.readers.due import DefaultSchedule
from newsletter.readers.joining import Joining
from newsletter.text import shorten

MAX_BYTES = 65_536  # the most bytes a form may have; the fullest preferences take about 30,000

MAX_FIELDS = 500
MAX_PACKED = 4000  # characters of a form in an address; proxies refuse addresses of 8 KB

WISHES = "wishes"
"""The field for what a reader wants in plain words. Each line is stored as a rule of ``include``
that begins with ``about:``; the other rules stay in the field ``include``."""

_WISH = re.compile(r"about\s*[:\uff1a]\s*(?=\S)", re.IGNORECASE)  # a Chinese colon, too

MAX_RULES = 100  # rules in one list; a longer list should be a topic of the newsletter

QUOTED = 60  # characters of a wish that a message quotes


class Form:
    """A form's fields, as they were sent."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def one(self, name: str) -> str:
        """A field's first value without spaces around it; empty if it was not sent."""
        return next(iter(self._fields.get(name, ())), "").strip()

    def all(self, name: str) -> list[str]:
        """Every value sent under a name."""
        return [*self._fields.get(name, ())]

    def only(self, names: Collection[str]) -> "Form":
        """The form with only these fields."""
        return Form({name: values for name, values in self._fields.items() if name in names})

    def without(self, names: Collection[str]) -> "Form":
        """The form without these fields."""
        return Form({name: values for name, values in self._fields.items() if name not in names})

    def lines(self, name: str) -> list[str]:
        """The lines of a field that are not empty."""
        return [line.strip() for line in self.one(name).splitlines() if line.strip()]

    def has(self, name: str) -> bool:
        """Whether a field of this name was sent."""
        return name in self._fields

    def with_values(self, name: str, *values: str) -> "Form":
        """The same form with other values in one field."""
        return Form({**self._fields, name: values})

    def packed(self) -> str:
        """The form as a short text for an address; :func:`unpack_form` reads it."""
        text = urlencode(self._fields, doseq=True)
        return urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")

    def first_values(self) -> dict[str, str]:
        """The first value of each field, by name, as it was sent."""
        return {name: values[0] for name, values in self._fields.items() if values}


def unpack_form(packed: str) -> Form | None:
    """The form that :meth:`Form.packed` made a text of; None for any other text."""
    try:
        content = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        text = zlib.decompressobj().decompress(content, MAX_BYTES)
        return _parse(text) if packed else None
    except (ValueError, zlib.error):
        return None


_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def number_of(text: str) -> int | None:
    """A positive number that every database can have as an integer; None for any other text."""
    return int(text) if _NUMBER.fullmatch(text) else None


async def read_body(request: Request, limit: int) -> bytes:
    """A request's body.

    Raises:
        HTTPException: it has more bytes than this (413).
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, "This form is too long.")
    return bytes(body)


async def read_form(request: Request) -> Form:
    """The form in a request's body.

    Raises:
        HTTPException: the body is too long (413) or not a form (400).
    """
    body = await read_body(request, MAX_BYTES)
    try:
        return _parse(body)
    except ValueError as error:
        raise HTTPException(400, "This is not a form of this site.") from error


def _parse(body: bytes) -> Form:
    return Form(
        parse_qs(
            body.decode(),
            keep_blank_values=True,
            max_num_fields=MAX_FIELDS,
            encoding="utf-8",
            errors="strict",
        )
    )


class InvalidFormError(Exception):
    """A form with mistakes; ``problems`` says what is wrong, by the field's name."""

    def __init__(self, problems: Mapping[str, Sequence[str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(text for texts in problems.values() for text in texts))


def with_wishes(form: Form) -> Form:
    """The form with the wishes among its filters in the field for wishes, as pages show it."""
    rules = form.lines("include")
    wishes = [_WISH.sub("", rule, count=1) for rule in rules if _WISH.match(rule)]
    if not wishes:
        return form
    others = [rule for rule in rules if not _WISH.match(rule)]
    wishes = [*form.lines(WISHES), *wishes]
    return form.with_values("include", "\n".join(others)).with_values(WISHES, "\n".join(wishes))


def with_rules(form: Form, shown: Form | None = None) -> Form:
    """The form with its wishes among its filters, as they are stored.

    If only one of both fields was sent, as with a template of the operator's, the other one says
    what the page showed.
    """
    sent = [name for name in (WISHES, "include") if form.has(name)]
    if not sent:
        return form
    if shown is not None:
        for name in {WISHES, "include"}.difference(sent):
            form = form.with_values(name, shown.one(name))
    form = with_wishes(form)
    rules = [*(f"about: {wish}" for wish in form.lines(WISHES)), *form.lines("include")]
    return form.without({WISHES}).with_values("include", "\n".join(rules))


def asks_more(form: Form) -> bool:
    """Whether a form asks for papers beside those of topics."""
    return bool(form.one("include") or form.one(WISHES))


def parse_subscriber(
    form: Form, email: str, topics: Mapping[str, str], matcher: Matcher | None = None
) -> Subscriber:
    """The subscriber that a form describes, with this address; wishes are :func:`with_rules`.

    ``topics`` has the names that may be chosen, each with the one to store. The ``matcher`` judges
    wishes.

    Raises:
        InvalidFormError: the form has mistakes; all of them are in it.
    """
    entry = _as_entry(form, email)
    try:
        found = subscriber_from_entry(entry, topics, matcher)
    except InvalidFileError as error:
        problems: defaultdict[str, list[str]] = defaultdict(list)
        for each in error.errors:
            name, problem = _in_its_field(each, entry)
            problems[name].append(problem)
        raise InvalidFormError(problems) from error
    chosen = tuple(dict.fromkeys(topics[name] for name in found.filter.topics))
    return replace(found, filter=replace(found.filter, topics=chosen))


def parse_newcomer(
    form: Form,
    email: str,
    topics: Mapping[str, str],
    joining: Joining,
    matcher: Matcher | None = None,
) -> Subscriber:
    """The subscriber of a form that asks for an address to be subscribed.

    Raises:
        InvalidFormError: as for :func:`parse_subscriber`, or the address may not join.
    """
    wanted = parse_subscriber(with_rules(form), email, topics, matcher)
    if not joining.may_join(wanted.email):
        problem = f"only addresses of {' or '.join(joining.domains)} can subscribe"
        raise InvalidFormError({"email": [problem]})
    return wanted


SCHEDULE_FIELDS = ("cadence", "at", "timezone")
"""The fields in which a reader who chose nothing follows the newsletter."""


def with_schedule(form: Form, default: DefaultSchedule) -> Form:
    """The form with the newsletter's days, time and zone where it has none: that is what comes."""
    for name in SCHEDULE_FIELDS:
        form = form.with_values(name, form.one(name) or getattr(default, name))
    return form


def without_schedule(form: Form, default: DefaultSchedule) -> Form:
    """The form without what it says as the newsletter does: those readers follow the newsletter."""
    same = {name for name in SCHEDULE_FIELDS if form.one(name) == getattr(default, name)}
    return form.without(same)


def rule_notes(
    form: Form, fields: Collection[str], matcher: Matcher | None = None
) -> Mapping[str, Sequence[str]]:
    """For each list of rules in a form, what to tell about those that hardly find anything."""
    lists = [name for name, way in SUBSCRIBER_FIELDS.items() if way == "lines"]
    notes = {
        name: [
            f"{line}: {advice.problem}"
            for line in form.lines(name)
            for advice in rule_advice(line, fields, matcher)
        ]
        for name in lists
    }
    wishes = form.lines(WISHES)[:MAX_RULES]
    return notes | {WISHES: [note for wish in wishes for note in _wish_notes(wish, matcher)]}


def _wish_notes(wish: str, matcher: Matcher | None) -> Iterator[str]:
    if advice := matcher and matcher.misunderstood(wish):
        yield about_wish(wish, advice.problem)
    if prefix := find_condition(wish):
        yield about_wish(wish, f"“{prefix[0]}” works only in your filters, under preferences")


def about_wish(wish: str, problem: str) -> str:
    """What is wrong with a wish, with its first words."""
    return f"“{shorten(wish, QUOTED)}”: {problem}"


def _as_entry(form: Form, email: str) -> dict[str, Value]:
    """The form as an entry of subscribers.yaml, so that both are checked by the same code."""
    entry: dict[str, Value] = {"email": email}
    for name, way in SUBSCRIBER_FIELDS.items():
        if value := _sent(form, name, way):
            entry[name] = value
    return entry


def _sent(form: Form, name: str, way: FormField) -> Value:
    match way:
        case "fixed":
            return None
        case "text":
            return form.one(name)
        case "choices":
            return [*form.all(name)]
        case "lines":
            rules = form.lines(name)
            if len(rules) > MAX_RULES:
                problem = f"{len(rules)} rules; at most {MAX_RULES} are allowed."
                raise InvalidFormError({name: [f"{problem} Join some with “or”"]})
            return [*rules]
        case _:
            assert_never(way)


def _in_its_field(error: ConfigurationError, entry: Mapping[str, Value]) -> tuple[str, str]:
    """The field of a mistake, ``include`` of ``subscribers.0.include.2``, and what is wrong there.

    Of a wish the field for wishes, with its words in the place of the marked rule.
    """
    _, _, *rest = error.where.split(".")
    name, *at = rest or ["email"]
    rules = entry.get(name)
    rule = rules[int(at[0])] if at and isinstance(rules, list) else ""
    if name == "include" and isinstance(rule, str) and (wish := _WISH.match(rule)):
        return WISHES, about_wish(rule[wish.end() :], error.problem.splitlines()[0])
    return name, error.problem


def fill_form(subscriber: Subscriber) -> Form:
    """The form that describes a subscriber as they are."""
    return _filled(plain_values(subscriber))


def fill_form_as_stored(email: str, stored: Mapping[str, object]) -> Form:
    """The form with what is stored of a reader, so that they see what of it cannot be used."""
    values: dict[str, Plain | None] = {**plain_values(Subscriber(email))}
    for name, value in stored.items():
        if SUBSCRIBER_FIELDS[name] in {"choices", "lines"}:
            parts = value if isinstance(value, list) else []
            values[name] = [_printable(each) for each in parts if isinstance(each, str)]
        elif name == "day" and type(value) is int and value in range(len(WEEKDAYS)):
            values[name] = WEEKDAYS[value]
        elif value is not None and (text := _printable(str(value)).strip()):
            values[name] = text
    return _filled(values)


def _printable(text: str) -> str:
    """A text that a page can contain: of a surrogate, which no encoding has, remains a sign."""
    return text.encode(errors="replace").decode()


def _filled(values: Mapping[str, Plain | None]) -> Form:
    shown = {
        name: _shown(values[name], way) for name, way in SUBSCRIBER_FIELDS.items() if way != "fixed"
    }
    return Form({**shown, "email": [str(values["email"])]})


def _shown(value: Plain | None, way: FormField) -> Sequence[str]:
    """What a form's field says; nothing for None and 0, which mean that nothing was chosen."""
    parts = value if isinstance(value, list) else [str(value or "")]
    return ["\n".join(parts)] if way == "lines" else [part for part in parts if part]


def with_present_topics(form: Form, known: Mapping[str, str]) -> Form:
    """The form with each topic under its present name, and lost ones under the name they had."""
    names = dict.fromkeys(known.get(name, name) for name in form.all("topics"))
    return form.with_values("topics", *names)


def changed_fields(sent: Form, shown: Form) -> frozenset[str]:
    """The fields in which a form that was sent says something else than the page showed.

    A field of text that was not sent was not on the page, as with a template of the operator's.
    """
    return frozenset(
        name
        for name, way in SUBSCRIBER_FIELDS.items()
        if way != "fixed"
        and (way == "choices" or sent.has(name))
        and _said(sent, name, way) != _said(shown, name, way)
    )


def _said(form: Form, name: str, way: FormField) -> object:
    """What a form says in a field, whatever the line ends and the order of boxes."""
    match way:
        case "choices":
            return frozenset(form.all(name))
        case "lines":
            return form.lines(name)
        case _:
            return form.one(name)
