"""``newsletter audit``."""

from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import open_app
from newsletter.cli.command import command
from newsletter.cli.output import Output, table
from newsletter.cli.reports import DELIVERIES_FAILED, shown_day
from newsletter.model import Audit

app = typer.Typer(rich_markup_mode=None, add_completion=False)

BROKEN = 1


@command(app)
def audit(
    config: Path,
    output: Output,
    issue: Annotated[str | None, typer.Argument(metavar="YYYY-MM-DD", help="The newest.")] = None,
) -> int:
    """Prove from the ledger that an issue was delivered as promised, and name who is in doubt.

    Example: newsletter audit 2026-08-03

    Each invariant is looked for by a query. Ends with 1 where one is broken, with 5 where readers
    are in doubt; `newsletter issue resolve` ends a doubt.
    """
    with open_app(config) as app:
        found = app.store.audit(shown_day(app, issue))
    document = {
        "issue": found.day.isoformat(),
        "ok": found.ok,
        "invariants": [{"id": p.id, "ok": p.ok, "rows": list(p.rows)} for p in found.proofs],
        "in_doubt": list(found.in_doubt),
    }
    output.give(document, lambda: _lines(found))
    if not found.ok:
        return BROKEN
    return DELIVERIES_FAILED if found.in_doubt else 0


def _lines(found: Audit) -> str:
    rows = [(proof.id, "holds" if proof.ok else "BROKEN", proof.law) for proof in found.proofs]
    broken = [f"{proof.id}: {row}" for proof in found.proofs for row in proof.rows]
    doubt = [f"in doubt: {email}" for email in found.in_doubt]
    return "\n".join((table((f"{found.day}", "", "promise"), rows), *broken, *doubt))
