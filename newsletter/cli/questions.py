"""The answers that ``newsletter init`` writes: from options, or asked for on a terminal."""

import os
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formataddr
from typing import Any, TypeVar

import typer
import tzlocal
from pydantic import TypeAdapter, ValidationError

from newsletter.app import event_loop
from newsletter.config import curated_groups
from newsletter.config.fields import LOOPBACK, Address, Mailbox, Security, WebAddress, Zone, mailbox
from newsletter.config.sources import kind_of_address
from newsletter.config.subscriptions import Lines, problem_of
from newsletter.errors import TransportError, UsageError
from newsletter.text import clean
from newsletter.transports.smtp import SmtpSettings, check_connection
from newsletter.transports.smtp.settings import default_helo

TIMEOUT = 10.0  # seconds to wait for each answer of the mail server
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TLS_PORT, _SUBMISSION_PORT, _RELAY_PORT = 465, 587, 25

_SOURCES = "huggingface, arXiv categories such as cs.CL, or addresses of feeds"
_EVERY_TOPIC = "all"
_USUAL_GROUPS = "Agents and robots, Language, Vision and sound, Machine learning"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a new newsletter.yaml and subscribers.yaml say.

    Attributes:
        operator: the address of the person who reads replies and reports of problems.
        smtp: the settings of the server, as they are written.
        reader: the address of the first reader.
        url: the address of the readers' pages; empty if there are none.
    """

    name: str
    sender: str
    operator: str
    smtp: Mapping[str, object]
    timezone: str
    sources: Sequence[Lines]
    topics: Sequence[str]
    reader: str
    url: str
    postal_address: str


@dataclass(frozen=True, slots=True)
class Options:
    """The answers that were given as options; None: not given."""

    name: str | None = None
    sender: str | None = None
    operator: str | None = None
    smtp: str | None = None
    security: str | None = None
    username: str | None = None
    timezone: str | None = None
    source: Sequence[str] | None = None
    topic: Sequence[str] | None = None
    reader: str | None = None
    url: str | None = None
    postal_address: str | None = None


@dataclass(frozen=True, slots=True)
class Questions:
    """Asks for what the options leave open; without a terminal it takes the usual answers."""

    options: Options
    on_terminal: bool

    def answers(self) -> Answers:
        """Every answer, in the order of the questions.

        Raises:
            UsageError: an option cannot be used, or there is no terminal to ask for it.
        """
        given = self.options
        name = self._ask("name", "Name of the newsletter", given.name, clean, "Daily Papers")
        sender = self._ask(
            "sender", "Address that the emails come from", given.sender, _as(Mailbox)
        )
        sender_name, sender_email = mailbox(sender)
        sender = sender if sender_name else _named(name, sender_email)
        self._say("Replies, requests to unsubscribe and reports of problems go to a person.")
        operator = self._ask(
            "operator", "That person's address", given.operator, _as(Address), sender_email
        )
        reader = self._ask("reader", "First reader", given.reader, _as(Address), operator)
        smtp = self._smtp(sender_email, reader)
        zone = self._ask("timezone", "Time zone", given.timezone, _as(Zone), _machine_zone())
        sources, topics = self._sources(), self._topics()
        self._say("Readers subscribe and unsubscribe on pages, if these have an address.")
        url = self._ask(
            "url", "Its address (https://…, or nothing)", given.url, _or_empty(_as(WebAddress)), ""
        )
        self._say("The law of many countries asks for a postal address in each email.")
        postal = self._ask(
            "postal-address", "Postal address (or nothing)", given.postal_address, clean, ""
        )
        return Answers(name, sender, operator, smtp, zone, sources, topics, reader, url, postal)

    def _say(self, text: str) -> None:
        if self.on_terminal:
            typer.echo(f"\n{text}", err=True)

    def _ask(
        self,
        option: str,
        question: str,
        given: str | None,
        check: Callable[[str], T],
        default: str | None = None,
    ) -> T:
        """The answer to one question; an empty line on the terminal means the default."""
        text = default if given is None else given
        if given is None and self.on_terminal:
            answer: T = typer.prompt(
                question, default, value_proc=check, err=True, show_default=bool(default)
            )
            return answer
        if text is None:
            raise UsageError(f"--{option} is needed without a terminal")
        try:
            return check(text)
        except typer.BadParameter as error:
            raise UsageError(f"--{option}: {error.message}") from error

    def _sources(self) -> Sequence[Lines]:
        given = " ".join(self.options.source or ()) or None
        self._say(f"Sources of papers: {_SOURCES}, with spaces between them.")
        return self._ask("source", "Sources", given, _read_sources, "huggingface cs.CL cs.LG")

    def _topics(self) -> Sequence[str]:
        groups = curated_groups()
        self._say("Topics, the sections of an email, that readers can choose from:")
        if self.on_terminal:
            typer.echo(_in_groups(groups), err=True)
        given = ",".join(self.options.topic or ()) or None
        question = "Topics: groups, their numbers, or topics, separated by commas; or all"
        return self._ask("topic", question, given, _topic_reader(groups), _USUAL_GROUPS)

    def _smtp(self, sender: str, reader: str) -> Mapping[str, object]:
        """The settings of the mail server; on a terminal it is tried until it works."""
        self._say("The mail server (SMTP) that takes the emails, with its port if it is not usual.")
        given, last = self.options, dict[str, object]()
        while True:
            last = self._server(given, last, sender)
            if not self.on_terminal or not (problem := _try_server(last, sender, reader)):
                return last
            typer.echo(problem, err=True)
            if not typer.confirm("Answer these questions again?", default=True, err=True):
                return last
            given = Options()

    def _server(self, given: Options, last: Mapping[str, object], sender: str) -> dict[str, object]:
        before = f"{last['host']}:{last['port']}" if last else "localhost"
        host, port = self._ask("smtp", "Mail server", given.smtp, _host_and_port, before)
        is_local = host in LOOPBACK
        usual = "none" if is_local else "tls" if port == _TLS_PORT else "starttls"
        security = self._ask(
            "security", "Security: starttls, tls or none", given.security, _as(Security), usual
        )
        settings: dict[str, object] = {"host": host, "port": port, "security": security}
        login = sender if self.on_terminal and not is_local else ""
        who = str(last.get("username", login))
        question = "User name there (- for none)" if who else "User name there (or nothing)"
        username = self._ask("username", question, given.username, clean, who).removeprefix("-")
        if not username:
            return settings
        return settings | {"username": username, "password": self._password(last)}

    def _password(self, last: Mapping[str, object]) -> str:
        if not self.on_terminal:
            return "${SMTP_PASSWORD}"
        before = last.get("password")
        hint = " (Enter: as before)" if before else " (or ${NAME}, a variable of the environment)"
        password: str = typer.prompt(
            f"Password{hint}", before, hide_input=True, err=True, show_default=False
        )
        return password


def _try_server(smtp: Mapping[str, object], sender: str, reader: str) -> str:
    """Announce an email to the server without sending it; what is wrong, or an empty text."""
    typer.echo(f"Trying {smtp['host']}:{smtp['port']} …", err=True)
    password = str(smtp.get("password", ""))
    if (variable := _VARIABLE.fullmatch(password)) is not None:
        if variable[1] not in os.environ:
            return f"The environment variable {variable[1]} is not set."
        password = os.environ[variable[1]]
    login = {"password": password} if password else {}
    helo = default_helo(sender.rpartition("@")[2])
    try:
        settings = SmtpSettings.model_validate({**smtp, **login, "helo": helo, "timeout": TIMEOUT})
        answer = event_loop.run(check_connection(settings, sender, reader))
    except ValidationError as error:
        return _reason(error)
    except TransportError as error:
        return str(error)
    reply = answer.recipient or answer.sender
    if not reply.startswith("2"):
        return f"The server refuses an email from {sender} to {reader}: {reply}"
    typer.echo("It takes emails from this sender. None was sent.", err=True)
    return ""


def _as(kind: Any) -> Callable[[str], str]:  # noqa: ANN401 - annotated types have no common type
    """Check a text as a type of settings does."""
    adapter = TypeAdapter[str](kind)

    def check(text: str) -> str:
        try:
            return adapter.validate_python(text.strip())
        except ValidationError as error:
            raise typer.BadParameter(_reason(error)) from error

    return check


def _reason(error: ValidationError) -> str:
    return str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")


def _or_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: check(text) if text.strip() else ""


def _named(name: str, email: str) -> str:
    """An address with a name, as newsletter.yaml has it."""
    return formataddr((name, email)) if name.isascii() else f"{name} <{email}>"


def _host_and_port(text: str) -> tuple[str, int]:
    """The host and the port of ``host``, ``host:port`` or ``[::1]:port``."""
    match = re.fullmatch(
        r"\[?(?P<host>[\w.-]+|[\da-fA-F:]+(?=\]|$))\]?(?::(?P<port>\d+))?", text.strip()
    )
    if match is None:
        raise typer.BadParameter(
            "write the name of a server, for example mail.example.org or HOST:PORT"
        )
    usual = _RELAY_PORT if match["host"] in LOOPBACK else _SUBMISSION_PORT
    return match["host"], int(match["port"] or usual)


def _machine_zone() -> str:
    """The time zone of this machine; UTC if it names none."""
    try:
        return _as(Zone)(tzlocal.get_localzone_name() or "UTC")
    except (typer.BadParameter, ValueError, LookupError):
        return "UTC"


def _read_sources(text: str) -> Sequence[Lines]:
    """The settings of these sources; categories of arXiv become one source."""
    categories, found = [], list[Lines]()
    for word in re.split(r"[\s,]+", text.strip()):
        if "://" in word:
            if problem := problem_of(word):
                raise typer.BadParameter(f"{word}: {problem}")
            found.append(kind_of_address(word) or {"kind": "feed", "url": word})
        elif word.lower() in {"huggingface", "hf"}:
            found.append({"kind": "huggingface"})
        elif re.fullmatch(r"[a-z-]+(\.[A-Za-z-]+)?", word):
            categories.append(word)
        else:
            raise typer.BadParameter(f"{word!r} is none of {_SOURCES}")
    return [*found, *([{"kind": "arxiv", "categories": categories}] if categories else [])]


def _topic_reader(groups: Mapping[str, Sequence[str]]) -> Callable[[str], Sequence[str]]:
    names = [name for topics in groups.values() for name in topics]
    by_word: dict[str, Sequence[str]] = {_EVERY_TOPIC: names}
    for number, (group, topics) in enumerate(groups.items(), 1):
        by_word |= {group.casefold(): topics, str(number): topics}
    by_word |= {name.casefold(): [name] for name in names}

    def read(text: str) -> Sequence[str]:
        words = [word.strip().casefold() for word in text.split(",") if word.strip()]
        if unknown := [word for word in words if word not in by_word]:
            raise typer.BadParameter(f"there is no topic {unknown[0]!r}; `newsletter topics list`")
        return list(dict.fromkeys(name for word in words for name in by_word[word]))

    return read


def _in_groups(groups: Mapping[str, Sequence[str]]) -> str:
    """The topics of each group after its number and name."""
    return "\n".join(
        textwrap.fill(f"{f'{number}.':<4}{group}: {', '.join(names)}", 79, subsequent_indent="    ")
        for number, (group, names) in enumerate(groups.items(), 1)
    )
