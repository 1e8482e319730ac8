"""``newsletter secret``: the secrets that sign the links in emails."""

from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.guards import SIGNED_WITH, record_keys
from newsletter.app.keys import forget_secret, rotate_secret
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Yes, command, command_list, group
from newsletter.cli.output import Output, confirm, table
from newsletter.errors import UsageError

commands = command_list()
secret_group = group(
    commands,
    "secret",
    """List, renew or forget the secrets that sign the links in emails.

    Example: newsletter secret rotate
    """,
)


@command(secret_group, "list")
def list_secrets(config: Path, output: Output) -> int:
    """List the secrets by fingerprint: which one signs, which verify, and which are missing.

    Example: newsletter secret list

    The first one signs. All verify: links in emails that it signed work. No secret is printed.
    """
    with open_app(config) as app:
        app.admit_store()
        rows = _rows(app)
    document = [dict(zip(("fingerprint", "use", "where"), row, strict=True)) for row in rows]
    output.result(document, table(("fingerprint", "use", "where"), rows))
    return 0


def _rows(app: App) -> list[tuple[str, str, str]]:
    known, configured = app.keyring.fingerprints, len(app.settings.secret)
    lost = set(app.store.facts().get(SIGNED_WITH, "").split()) - set(known)
    uses = ["signs", *["verifies"] * (len(known) - 1)]
    places = [app.path.name if i < configured else str(app.state_path) for i in range(len(known))]
    rows = list(zip(known, uses, places, strict=True))
    return rows + [(each, "is missing", "") for each in sorted(lost)]


@command(secret_group, "rotate")
def rotate(config: Path, output: Output) -> int:
    """Sign with a new secret from now on; the links in emails sent so far still work.

    Example: newsletter secret rotate

    It makes a new secret and keeps the old ones for good: unsubscribe links never expire. If
    `secret:` is set in newsletter.yaml, it changes nothing and says what to write.
    """
    with open_app(config) as app:
        _ = app.store  # refused if a secret is missing already
        if configured := len(app.settings.secret):
            others = "the present one" if configured == 1 else "the present ones"
            output.result(
                {"rotated": False, "fingerprint": app.keyring.fingerprint},
                f"{config.name} sets `secret:`, so nothing was changed. Make a new one: "
                "python -c 'import secrets; print(secrets.token_urlsafe(32))'; write it as the "
                f"first in a list, before {others}: secret: [NEW, ...]; keep {others}",
            )
            return 0
        fingerprint = rotate_secret(app.own_folder)
        said = f"{fingerprint} signs from now on; the one before it still verifies"
    output.result({"rotated": True, "fingerprint": fingerprint}, said)
    output.message("`newsletter reload` makes a running newsletter use it; back up the new file")
    return 0


@command(secret_group, "forget")
def forget(
    config: Path,
    output: Output,
    fingerprint: Annotated[str, typer.Argument(help="As `newsletter secret list` shows it.")],
    *,
    yes: Yes = False,
) -> int:
    """Stop accepting the links that a secret signed, because it is lost or leaked.

    Example: newsletter secret forget 1f0c7a55e2b94d10

    Links in the emails that it signed stop working, unsubscribe links included. It asks, or
    needs --yes without a terminal.
    """
    question = "The links in emails that it signed will not work any more. Forget it?"
    if not (yes or confirm(question)):
        return 0
    with open_app(config) as app:
        app.admit_store()
        signed = app.store.facts().get(SIGNED_WITH, "").split()
        if fingerprint in app.keyring.fingerprints[: len(app.settings.secret)]:
            raise UsageError(f"{config.name}: `secret:` has it; remove it there first")
        if not forget_secret(app.own_folder, fingerprint) and fingerprint not in signed:
            raise UsageError(f"{fingerprint} is not known; see `newsletter secret list`")
        record_keys(app.store, [each for each in signed if each != fingerprint])
    output.result({"forgotten": fingerprint}, f"{fingerprint} is forgotten")
    return 0
