"""``newsletter bounces``."""

import logging
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.mailboxes import kept_mails, mailboxes_of
from newsletter.app.wiring import App, open_app
from newsletter.bounces.mailboxes import Mail, Mailbox, Maildir, Mbox, stream_mails
from newsletter.bounces.processing import EFFECTS, BounceResult, Effect, result_line
from newsletter.bounces.reading import PIPE, read_mailbox, why_left
from newsletter.cli.command import command, command_list, group
from newsletter.cli.logs import log_to_syslog
from newsletter.cli.output import Output, count_of
from newsletter.errors import Isolated, MailboxError, NewsletterError, TryAgainError, UsageError

_log = logging.getLogger(__name__)

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
    again: Annotated[
        bool, typer.Option("--again", help="Also read the mails that were left in place before.")
    ] = False,
) -> int:
    """Process bounces, complaints and unsubscribe requests from bounces: or another mailbox.

    Example: newsletter bounces read

    A reader is blocked after 3 hard bounces on 3 days or after one complaint; soft bounces are
    only counted. Each mail counts once. Processed mails are marked as seen. Mails that need a
    person are named once and left where they are; `newsletter status` lists them. With -, exit
    code 75 means: not processed; the mail server must keep the mail.
    """
    _refuse_unclear(stdin, maildir, mbox)
    if stdin is not None:
        return _read_pipe(config, output)
    with open_app(config) as app:
        mailboxes = _choose_mailboxes(app, maildir, mbox)
        app.readers()
        processor, now = app.bounce_processor(), app.clock.now()
        results, failures = list[BounceResult](), list[NewsletterError]()
        for mailbox in mailboxes:
            try:
                results += read_mailbox(mailbox, processor, app.store, now, again=again)
            except MailboxError as error:
                failures.append(error)
        left = app.store.left_mails()
    _report(output, results, len(left))
    for failure in failures[1:]:
        _log.error("%s", failure)
    if failures:
        raise failures[0]
    return 0


def _refuse_unclear(stdin: str | None, maildir: Path | None, mbox: Path | None) -> None:
    if stdin not in {None, "-"}:
        raise UsageError(f"{stdin!r} is not a mailbox; pass --maildir or --mbox, or - alone")
    if sum(named is not None for named in (stdin, maildir, mbox)) > 1:
        raise UsageError("pass exactly one of --maildir, --mbox and -")


def _choose_mailboxes(app: App, maildir: Path | None, mbox: Path | None) -> Sequence[Mailbox]:
    """The mailbox named on the command line, or the configured ones.

    Raises:
        UsageError: there is none.
    """
    if maildir is not None:
        return [Maildir(maildir)]
    if mbox is not None:
        return [Mbox(mbox)]
    mailboxes = list(mailboxes_of(app))
    if not mailboxes:
        raise UsageError(
            "set bounces.maildir, bounces.imap or bounces.pop3, or pass --maildir, --mbox or -"
        )
    return mailboxes


def _read_pipe(config: Path, output: Output) -> int:
    """Take in the mail on standard input, whose sender may get back all that is printed.

    What needs a person is kept in a Maildir of our own. Whatever goes wrong: the mail server must
    keep the mail, and gets no details.
    """
    if not sys.stderr.isatty():
        log_to_syslog()
    with Isolated("a mail from a pipe was not taken in"):
        try:
            results = [_take_in(config, mail) for mail in stream_mails(sys.stdin.buffer)]
        except NewsletterError as error:
            _log.error("a mail from a pipe was not processed: %s", error)
        else:
            _report(output, results, 0)
            return 0
    typer.echo("not taken in now; try again later", err=True)
    return TryAgainError.exit_code


def _take_in(config: Path, mail: Mail) -> BounceResult:
    with open_app(config) as app:
        app.readers()
        now = app.clock.now()
        (result,) = app.bounce_processor().process_all([mail], now)
        if result.effect == "left":
            kept = kept_mails(app)
            name = kept.keep(mail.content)
            app.store.remember_mails(kept.name, {name: why_left(result)}, now=now)
        app.store.record_mailbox_read(PIPE, now=now)
    return result


def _report(output: Output, results: Sequence[BounceResult], waiting: int) -> None:
    """Print what became of the mails; with ``--quiet`` only those that need a person."""
    effects = Counter(result.effect for result in results)
    counts: dict[str, int] = {effect: effects[effect] for effect in EFFECTS}
    document = {
        "read": len(results), **counts, "waiting": waiting, "mails": [asdict(r) for r in results]
    }  # fmt: skip
    shown = [r for r in results if r.effect == "left" or not output.quiet]
    lines = list(map(result_line, shown))
    if not output.quiet:
        lines.append(_total(results, effects))
        if waiting:
            lines.append(f"{count_of(waiting, 'mail')} in all to look at: newsletter status")
    output.result(document, "\n".join(lines))


def _total(results: Sequence[BounceResult], effects: Counter[Effect]) -> str:
    counts = [f"{effects[effect]} {words}" for effect, words in EFFECTS.items() if effects[effect]]
    return ", ".join((f"{count_of(len(results), 'mail')} read", *counts))
