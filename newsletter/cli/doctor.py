"""``newsletter doctor``."""

from dataclasses import asdict
from pathlib import Path

import typer
from dns.exception import DNSException
from dns.resolver import Resolver

from newsletter.cli.command import command
from newsletter.cli.output import Output
from newsletter.doctor import Finding, ask_dns, examine

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@command(app)
def doctor(config: Path, output: Output) -> int:
    """Is all well: configuration, store, SMTP login, sender's domain, clock, disk, last run.

    Example: newsletter doctor

    One line each, with what mends it; nothing is changed and no letter is sent. Exit code 1:
    something is wrong.
    """
    try:
        ask = ask_dns(Resolver())
    except DNSException:
        ask = None
    findings = list(examine(config, ask))
    well = all(finding.state != "wrong" for finding in findings)
    document = {"ok": well, "checks": [asdict(finding) for finding in findings]}
    output.give(document, lambda: "\n".join(map(_line, findings)))
    return 0 if well else 1


def _line(finding: Finding) -> str:
    fix = f"; {finding.fix}" if finding.fix else ""
    return f"{finding.state:11}  {finding.name:13}  {finding.said}{fix}"
