"""``newsletter doctor``."""

from dataclasses import asdict
from pathlib import Path

from dns.exception import DNSException
from dns.resolver import Resolver

from newsletter.cli.command import command, command_list
from newsletter.cli.output import Output
from newsletter.doctor import Finding, examine, resolver_lookup

commands = command_list()


@command(commands)
def doctor(config: Path, output: Output) -> int:
    """Check everything that sending needs, what went wrong lately, and what soon will.

    Example: newsletter doctor

    Prints one line for each check, with the fix for a problem. No email is sent, and no reader,
    issue or setting changes; a store that does not exist is made. Exit code 1: something is wrong.
    """
    try:
        lookup = resolver_lookup(Resolver())
    except DNSException:
        lookup = None  # this machine has no name server configured
    findings = list(examine(config, lookup))
    ok = all(finding.state != "wrong" for finding in findings)
    document = {"ok": ok, "checks": [asdict(finding) for finding in findings]}
    output.result(document, "\n".join(map(_line, findings)))
    return 0 if ok else 1


def _line(finding: Finding) -> str:
    fix = f"; fix: {finding.fix}" if finding.fix else ""
    return f"{finding.state:11}  {finding.name:13}  {finding.said}{fix}"
