"""What the sender's domain says in the DNS of who may send for it: SPF, DKIM, DMARC."""

from collections.abc import Callable, Iterator

from dns.exception import DNSException
from dns.name import from_text
from dns.rdatatype import TXT
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

from newsletter.doctor.findings import Finding, unchecked, well, wrong

PATIENCE = 5.0
"""Seconds a name server gets."""

Ask = Callable[[str], tuple[str, ...] | None]
"""A name's TXT records; None where there is no such name.

It raises DNSException where no name server answers.
"""


def ask_dns(resolver: Resolver) -> Ask:
    """TXT records from the name servers of a resolver."""

    def ask(name: str) -> tuple[str, ...] | None:
        try:
            answer = resolver.resolve(from_text(name), TXT, lifetime=PATIENCE)
        except NXDOMAIN:
            return None
        except NoAnswer:
            return ()
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer)

    return ask


def sender_records(domain: str, ask: Ask) -> tuple[Finding, ...]:
    """SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489) of the sender's domain."""
    checks = {"SPF": _spf, "DKIM": _dkim, "DMARC": _dmarc}
    top = domain.rpartition(".")[2]
    try:
        if ask(top) is not None:
            return tuple(check(domain, ask) for check in checks.values())
        said = f"the name server here does not even know .{top}: this machine is offline"
    except DNSException as error:
        said = f"no name server answered: {type(error).__name__}"
    return tuple(unchecked(name, said) for name in checks)


def _spf(domain: str, ask: Ask) -> Finding:
    found = [text for text in ask(domain) or () if text.lower().split(" ")[0] == "v=spf1"]
    if len(found) != 1:
        said = f"{domain} has {len(found) or 'no'} SPF records"
        fix = f'keep one TXT record at {domain}, such as "v=spf1 mx a:YOUR.RELAY -all"'
        return wrong("SPF", said, fix)
    if found[0].lower().split()[-1] in {"all", "+all", "?all"}:
        fix = f"end the TXT record at {domain} in -all or ~all"
        return wrong("SPF", f"{domain} lets everybody send: {found[0]}", fix)
    return well("SPF", found[0])


def _dkim(domain: str, ask: Ask) -> Finding:
    """Whether there are keys: they cannot be listed, but the name above one exists (RFC 8020)."""
    if ask(f"_domainkey.{domain}") is None:
        fix = "let your relay sign for this domain and publish the key it gives you"
        return wrong("DKIM", f"there are no keys below _domainkey.{domain}", fix)
    return well("DKIM", f"there are keys below _domainkey.{domain}")


def _dmarc(domain: str, ask: Ask) -> Finding:
    for name in _and_above(domain):
        for text in ask(f"_dmarc.{name}") or ():
            if text.replace(" ", "").lower().startswith("v=dmarc1;"):
                return well("DMARC", f"{name}: {text}")
    fix = f'a TXT record at _dmarc.{domain}, such as "v=DMARC1; p=none; rua=mailto:you@{domain}"'
    return wrong("DMARC", f"{domain} has no DMARC policy", fix)


def _and_above(domain: str) -> Iterator[str]:
    """A domain and those above it, down to two labels: a policy there is for it, too."""
    labels = domain.split(".")
    for start in range(max(len(labels) - 1, 1)):
        yield ".".join(labels[start:])
