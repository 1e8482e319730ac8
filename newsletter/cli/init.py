"""``newsletter init``: a new newsletter's files, and its first email."""

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from newsletter.app.clock import SystemClock
from newsletter.app.files import cron_lines
from newsletter.cli.command import Yes, command, command_list
from newsletter.cli.output import Output
from newsletter.cli.questions import Answers, Options, Questions
from newsletter.cli.send import fetch, send
from newsletter.config import Settings
from newsletter.config.subscribers import SubscribersSettings
from newsletter.config.subscriptions import source_line
from newsletter.errors import UsageError

FIRST_LISTS = timedelta(days=3)
"""How far back the first email reaches: to a day with papers, also after a weekend."""

_PRIVATE, _PUBLIC = 0o600, 0o644
_VARIABLE = re.compile(r"\$\{\w+\}")
_READERS = """\
# The readers. Only `email` is required; docs/configuration.md explains the other settings, and
# docs/filters.md the rules. A reader with neither topics nor include gets every paper.
subscribers:
  - email: {email}
    # topics: [{topic}]
    # include: [LoRA, "author:Shazeer"]
    # exclude: [speech]
    # cadence: daily # daily | weekdays | weekly (on `day:`) | paused (`paused_until:`)
"""

_Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Where to write; created if it does not exist.")
]
_Operator = Annotated[
    str | None, typer.Option(help="Who reads replies and reports. Default: the sender.")
]
_Server = Annotated[
    str | None, typer.Option(metavar="HOST[:PORT]", help="The mail server. Default: localhost.")
]
_Username = Annotated[str | None, typer.Option(help="The login; its password is ${SMTP_PASSWORD}.")]
_Zone = Annotated[str | None, typer.Option(help="Time zone. Default: this machine's.")]
_Sources = Annotated[
    list[str] | None,
    typer.Option(help="huggingface, a category of arXiv, or a feed. Repeat for more."),
]
_Topics = Annotated[
    list[str] | None,
    typer.Option(
        help="A topic, or a group of topics. Repeat for more. Default: groups on machine learning."
    ),
]
_Reader = Annotated[
    str | None, typer.Option(help="The first reader's address. Default: the operator's.")
]

commands = command_list()


@command(commands)
def init(
    _config: Path,
    output: Output,
    folder: _Folder = Path(),
    *,
    name: Annotated[str | None, typer.Option(help="The newsletter's name.")] = None,
    sender: Annotated[str | None, typer.Option(help="The address that emails come from.")] = None,
    operator: _Operator = None,
    smtp: _Server = None,
    security: Annotated[str | None, typer.Option(help="starttls, tls or none.")] = None,
    username: _Username = None,
    timezone: _Zone = None,
    source: _Sources = None,
    topic: _Topics = None,
    reader: _Reader = None,
    url: Annotated[str | None, typer.Option(help="The address of the readers' pages.")] = None,
    postal_address: Annotated[str | None, typer.Option(help="Shown in each email.")] = None,
    yes: Yes = False,
) -> int:
    """Set up a newsletter: newsletter.yaml, subscribers.yaml, and JSON Schemas for editors.

    Example: newsletter init my-papers

    On a terminal it asks a few questions, tries the mail server, and offers to send the first
    email. With --yes or without a terminal it asks nothing: it writes a commented example, or, if
    options are given, what they say. Existing files are never overwritten.
    """
    options = Options(
        name, sender, operator, smtp, security, username, timezone, source, topic, reader, url,
        postal_address,
    )  # fmt: skip
    is_new = not (folder / "newsletter.yaml").exists()
    asks = is_new and not yes and sys.stdin.isatty()
    answers = Questions(options, asks).answers() if asks or options != Options() else None
    _write(folder, answers, output)
    if not asks or answers is None:
        output.message("Edit the two .yaml files, then run: newsletter config check")
        output.message(f"To send each morning by cron:\n{cron_lines(folder)}")
        return 0
    code = _send_first(folder, answers, output)
    output.message(_next_steps(folder, answers))
    return code


def _write(folder: Path, answers: Answers | None, output: Output) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [
            str(folder / name)
            for name, text, mode in _new_files(answers)
            if _write_new(folder / name, text, mode)
        ]
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error
    output.result({"written": written}, "\n".join(written))
    if not written:
        output.message(f"{folder}: all files exist already; nothing was written")


def _new_files(answers: Answers | None) -> Iterator[tuple[str, str, int]]:
    """Each file's name, its text, and its mode: a password or readers' addresses are private."""
    package = files("newsletter")
    settings = package.joinpath("data", "newsletter.example.yaml").read_text("utf-8")
    readers = "subscribers.example.yaml"
    # A checkout keeps this file at its top; an installed package has a copy among its data.
    checkout = Path(str(package)).parent / readers
    example = checkout if checkout.is_file() else package.joinpath("data", readers)
    listed = example.read_text("utf-8") if answers is None else _readers_file(answers)
    filled = settings if answers is None else _filled(settings, answers)
    has_password = answers is not None and "password" in answers.smtp
    yield "newsletter.yaml", filled, _PRIVATE if has_password else _PUBLIC
    yield "subscribers.yaml", listed, _PRIVATE
    for name, model in (("newsletter", Settings), ("subscribers", SubscribersSettings)):
        yield f"{name}.schema.json", json.dumps(model.model_json_schema(), indent=1), _PUBLIC


def _write_new(path: Path, text: str, mode: int) -> bool:
    """Write a file unless there is one of that name; return whether it was written."""
    try:
        with open(path, "x", encoding="utf-8", opener=lambda p, f: os.open(p, f, mode)) as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _filled(example: str, answers: Answers) -> str:
    """The example with these answers in place of its own."""
    lines = {
        "name": [f"name: {_yaml(answers.name)}"],
        "sender": [
            f"sender: {_yaml(answers.sender)}",
            f"operator: {_yaml(answers.operator)} # reports of problems go there",
        ],
        "reply_to": [
            f"reply_to: {_yaml(answers.operator)} # replies go there; a person reads them"
        ],
        "postal_address": [f"postal_address: {_yaml(answers.postal_address)}"],
        "timezone": [f"timezone: {answers.timezone}"],
        "smtp": ["smtp:", *(f"  {key}: {_yaml(value)}" for key, value in answers.smtp.items())],
        "sources": ["sources:", *map(source_line, answers.sources)],
        "topics": ["topics:", *(f"  - {name}" for name in answers.topics)],
    }
    if answers.url:
        lines["url"] = [f"url: {_yaml(answers.url)} # the readers' pages"]
        lines["web"] = ["web: { port: 8000 } # where they listen: see docs/pages.md"]
    for key, own in lines.items():
        example = _with_lines(example, key, own)
    return example


def _with_lines(text: str, key: str, lines: list[str]) -> str:
    """The text with lines in place of a setting and its section; comments in the section stay."""

    def replaced(found: re.Match[str]) -> str:
        written = [line.split(":")[0].strip() for line in lines]
        comments = (line for line in found[1].splitlines() if line.startswith("  #"))
        kept = (line for line in comments if line.strip(" #").split(":")[0] not in written)
        return "".join(f"{line}\n" for line in (*lines, *kept))

    return re.sub(rf"^(?:# )?{key}:.*\n((?:  .*\n)*)", replaced, text, count=1, flags=re.MULTILINE)


def _yaml(value: object) -> str:
    """A value as YAML, which JSON is; a text that is one variable stays a variable."""
    if isinstance(value, str) and _VARIABLE.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False).replace("${", "$${")


def _readers_file(answers: Answers) -> str:
    topic = next(iter(answers.topics), "")
    return _READERS.format(email=_yaml(answers.reader), topic=topic)


def _send_first(folder: Path, answers: Answers, output: Output) -> int:
    """Offer to send today's papers to the first reader; the exit code."""
    if output.json or not typer.confirm(
        f"\nSend the newest papers to {answers.reader} now?", default=True, err=True
    ):
        return 0
    config = folder / "newsletter.yaml"
    since = (SystemClock().now() - FIRST_LISTS).date().isoformat()
    fetch(config, output, since=since)
    return send(config, output, to=[answers.reader], everyone=True, yes=True)


def _next_steps(folder: Path, answers: Answers) -> str:
    unsubscribe = f"reply to {answers.operator}"
    if answers.url:
        unsubscribe = f"use the pages: let {answers.url} lead to http://127.0.0.1:8000"
    return f"""\
Next:
  cd {quote(str(folder))}
  newsletter preview   # shows the email of every day and reader
  newsletter send      # fetches, shows the counts, and asks before it sends
  newsletter run       # sends each day; to unsubscribe, readers {unsubscribe}
  newsletter doctor    # what readers' mail servers ask for: SPF, DKIM, DMARC and more
To send each morning by cron:
{cron_lines(folder)}"""
