"""``newsletter bounces``."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.wiring import App, open_app
from newsletter.bounces.mailboxes import Mail, Maildir, mbox_mails, stream_mails
from newsletter.bounces.processing import EFFECTS, BounceResult, Effect, result_line
from newsletter.cli.command import command, command_list, group
from newsletter.cli.output import Output, count_of
from newsletter.errors import UsageError

commands = command_list()
bounces_group = group(
    commands,
    "bounces",
    """Process returned mail: bounces, complaints and unsubscribe requests.

    Example: newsletter bounces read --mbox /var/mail/bounce
    """,
)


@command(bounces_group, "read")
def read_bounces(
    config: Path,
    output: Output,
    stdin: Annotated[
        str | None, typer.Argument(metavar="[-]", help="Read one mail from standard input.")
    ] = None,
    *,
    maildir: Annotated[
        Path | None, typer.Option("--maildir", help="Read this Maildir, not bounces.maildir.")
    ] = None,
    mbox: Annotated[
        Path | None, typer.Option("--mbox", help="Read this mbox file; it is not changed.")
    ] = None,
) -> int:
    """Process bounces, complaints and unsubscribe requests from bounces.maildir or another mailbox.

    Example: newsletter bounces read

    A reader is blocked after 3 hard bounces on 3 days or after one complaint; soft bounces are
    only counted. Each mail counts once. Processed mails are marked as seen. Mails that cannot be
    read, or are not about an email of this newsletter, are named and left where they are.
    """
    with open_app(config) as app:
        mails = _choose_mailbox(app, stdin, maildir, mbox)
        app.readers()
        results = list(app.bounce_processor().process_all(mails, app.clock.now()))
    effects = Counter(result.effect for result in results)
    counts: dict[str, int] = {effect: effects[effect] for effect in EFFECTS}
    mails_read = [asdict(result) for result in results]
    document = {"read": len(results), **counts, "mails": mails_read}
    output.result(document, "\n".join((*map(result_line, results), _total(results, effects))))
    return 0


def _choose_mailbox(
    app: App, stdin: str | None, maildir: Path | None, mbox: Path | None
) -> Iterator[Mail]:
    """The mails of the mailbox named on the command line, or of the configured one.

    Raises:
        UsageError: there is none, or more than one.
    """
    if stdin not in {None, "-"}:
        raise UsageError(f"{stdin!r} is not a mailbox; pass --maildir or --mbox, or - alone")
    named: list[Iterator[Mail]] = []
    if stdin is not None:
        named.append(stream_mails(sys.stdin.buffer))
    if maildir is not None:
        named.append(Maildir(maildir).mails())
    if mbox is not None:
        named.append(mbox_mails(mbox))
    if not named and app.maildir is not None:
        named.append(app.maildir.mails())
    if len(named) != 1:
        raise UsageError("set bounces.maildir, or pass exactly one of --maildir, --mbox and -")
    return named[0]


def _total(results: Sequence[BounceResult], effects: Counter[Effect]) -> str:
    counts = [f"{effects[effect]} {words}" for effect, words in EFFECTS.items() if effects[effect]]
    return ", ".join((f"{count_of(len(results), 'mail')} read", *counts))
