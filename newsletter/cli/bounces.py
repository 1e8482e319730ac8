"""``newsletter bounces``."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import App, open_app
from newsletter.bounces import BounceResult, Effect, Maildir, Mbox, Stream, in_words
from newsletter.cli.command import command, group
from newsletter.cli.output import Output, counted
from newsletter.errors import UsageError

app = group()

EFFECTS: dict[Effect, str] = {
    "noted": "counted",
    "suppressed": "blocked",
    "unsubscribed": "unsubscribed",
    "again": "counted before",
    "aside": "put away",
    "left": "left",
}


@app.callback()
def bounces_commands() -> None:
    """Take in what comes back by mail.

    Example: newsletter bounces read --mbox /var/mail/bounce
    """


@command(app, "read")
def read_bounces(
    config: Path,
    output: Output,
    stdin: Annotated[
        str | None, typer.Argument(metavar="[-]", help="One mail on standard input.")
    ] = None,
    *,
    maildir: Annotated[
        Path | None, typer.Option("--maildir", help="Another than bounces.maildir.")
    ] = None,
    mbox: Annotated[Path | None, typer.Option("--mbox", help="An mbox; it stays as it is.")] = None,
) -> int:
    """Take in bounces, complaints and unsubscribes: from bounces.maildir, or as said here.

    Example: newsletter bounces read

    Three hard bounces on three days, or one complaint, and a reader is blocked; soft bounces are
    counted alone. Each mail counts once. What was dealt with is marked as seen; what nobody can
    read, or is about no letter of ours, is named and left where it is.
    """
    with open_app(config) as app:
        chosen = _mailbox(app, stdin, maildir, mbox)
        app.readers()
        taken = list(app.bounce_processor().take_all(chosen.mails(), app.clock.now()))
    document = {**_counts(taken), "mails": [asdict(taking) for taking in taken]}
    output.give(document, lambda: "\n".join((*map(in_words, taken), _total(taken))))
    return 0


def _mailbox(
    app: App, stdin: str | None, maildir: Path | None, mbox: Path | None
) -> Maildir | Mbox | Stream:
    """The mailbox asked for.

    Raises:
        UsageError: none is, or more than one.
    """
    if stdin not in {None, "-"}:
        raise UsageError(f"{stdin!r} is no mailbox; say --maildir or --mbox before it, or - alone")
    asked: list[Maildir | Mbox | Stream] = []
    if stdin is not None:
        asked.append(Stream(sys.stdin.buffer))
    if maildir is not None:
        asked.append(Maildir(maildir))
    if mbox is not None:
        asked.append(Mbox(mbox))
    if not asked and app.maildir is not None:
        asked.append(app.maildir)
    if len(asked) != 1:
        raise UsageError(
            "read one mailbox: set bounces.maildir, or give one of --maildir, --mbox and -"
        )
    return asked[0]


def _counts(taken: Sequence[BounceResult]) -> dict[str, int]:
    found = Counter(taking.effect for taking in taken)
    return {"read": len(taken), **{effect: found[effect] for effect in EFFECTS}}


def _total(taken: Sequence[BounceResult]) -> str:
    counts = _counts(taken)
    told = [f"{counts[effect]} {words}" for effect, words in EFFECTS.items() if counts[effect]]
    return ", ".join((f"{counted(len(taken), 'mail')} read", *told))
