"""Checks of what a mail server refuses: names, sender, size, the sender's records in the DNS."""

import re
from collections.abc import Callable, Iterator

from newsletter.app import event_loop
from newsletter.app.wiring import App
from newsletter.config.fields import LOOPBACK, is_full_name
from newsletter.delivery.refusals import refuses_reader
from newsletter.doctor.findings import Finding, Lookup, asked, not_checked, ok, wrong
from newsletter.errors import TransportError
from newsletter.letter.message import return_path
from newsletter.transports.smtp import SmtpSettings, check_connection
from newsletter.transports.smtp.connecting import ServerCheck
from newsletter.transports.smtp.replies import is_about_helo

SERVER_TIMEOUT = 10.0
PAPER_BYTES = 8_000  # of a letter for each paper, with its summary in full, in text and HTML
LETTER_BYTES = 50_000  # of a letter without papers, and room for one-line titles

_SECOND_LEVEL = "ac|co|com|edu|go|gov|ne|net|or|org"
"""Below them countries register domains: ``example.co.uk``. Not all of them, but the usual ones."""

_SET_HELO = "set smtp.helo to a full host name that leads to this machine"


def examine_sending(app: App, lookup: Lookup | None) -> Iterator[Finding]:
    """Everything that a relay or a reader's mail server may refuse; nothing is sent."""
    publication = app.settings.publication
    smtp = app.smtp_settings.model_copy(update={"timeout": SERVER_TIMEOUT})
    to = publication.operator or publication.sender_email
    back = return_path(publication, 1, to, app.keyring)
    answer = None
    try:
        answer = event_loop.run(check_connection(smtp, back, to))
    except TransportError as error:
        said, _, fix = str(error).partition("; ")
        yield wrong("SMTP", said, fix)
    else:
        login = f"logged in as {smtp.username}" if smtp.username else "without a login"
        if smtp.oauth:
            login += " by XOAUTH2"
        yield ok("SMTP", f"{smtp.host}:{smtp.port}, security {smtp.security}, {login}")
        yield _sender(back, to, answer)
        yield _size(app.settings.issue.max_items, answer)
    yield _helo_name(app, smtp, lookup)
    yield _reverse_name(smtp, answer, lookup)
    yield from sender_records(publication.domain, back.rpartition("@")[2], lookup)


def _sender(back: str, to: str, answer: ServerCheck) -> Finding:
    """What the server says to an email from ours to ourselves, which is not sent."""
    reply = answer.recipient or answer.sender
    said = f"the server refuses an email from {back} to {to}: {reply}"
    if reply.startswith("2"):
        return ok("sender", f"the server takes emails from {back}; none was sent")
    if reply.startswith("4"):
        return not_checked("sender", said)
    if is_about_helo(reply):
        return wrong("sender", said, _SET_HELO)
    if refuses_reader(reply):
        return wrong("sender", said, f"let {to} exist: replies and complaints go there")
    fix = "set bounces.address, or sender, to an address that smtp.username may send from"
    return wrong("sender", said, f"{fix}, and smtp.username if the server asks for a login")


def _size(max_items: int, answer: ServerCheck) -> Finding:
    """Compare the server's limit (RFC 1870) with the largest letter of ``max_items`` papers."""
    largest = LETTER_BYTES + max_items * PAPER_BYTES
    if answer.size is None:
        return ok("size", "the server names no limit")
    said = f"emails may have {answer.size // 1000:,} kB; the largest has about {largest // 1000:,}"
    if answer.size < largest:
        fix = "raise the server's limit (Postfix: message_size_limit), or lower issue.max_items"
        return wrong("size", said, fix)
    return ok("size", said)


def _helo_name(app: App, smtp: SmtpSettings, lookup: Lookup | None) -> Finding:
    name, said = "EHLO name", smtp.helo or ""
    if said.startswith("["):
        if app.settings.smtp.helo is None:
            return wrong(name, f"this machine has no full name, so it says {said}", _SET_HELO)
        return ok(name, said)
    if not is_full_name(said):
        return wrong(name, f"{said} is no full host name; many servers refuse it", _SET_HELO)
    if app.settings.smtp.helo is None and said == app.settings.publication.domain:
        said += " (the sender's domain: this machine's own name is no full one)"

    def check(lookup: Lookup) -> Finding:
        if any(lookup(smtp.helo or "", kind) for kind in ("A", "AAAA", "MX")):
            return ok(name, said)
        if smtp.username:  # servers with a login do not look the name up
            return ok(name, f"{said}, which is not in the DNS")
        return wrong(name, f"{said} is not in the DNS; some servers refuse it", _SET_HELO)

    found = asked(name, lookup, smtp.helo or "", check)
    return found if found.state != "not checked" else ok(name, f"{said}; the DNS {found.said}")


def _reverse_name(smtp: SmtpSettings, answer: ServerCheck | None, lookup: Lookup | None) -> Finding:
    """Check that the addresses of our own mail server lead back to its name (RFC 1912, 2.1)."""
    name = "PTR"
    if smtp.host not in LOOPBACK:
        return not_checked(name, f"{smtp.host} delivers the emails; its names are its operator's")
    if answer is None or not is_full_name(answer.server):
        return not_checked(name, "the local mail server tells no full host name of its own")
    server = answer.server

    def check(lookup: Lookup) -> Finding:
        addresses = [ip for kind in ("A", "AAAA") for ip in lookup(server, kind) or ()]
        if not addresses:
            fix = "give the mail server (Postfix: myhostname) a name that leads to this machine"
            return wrong(name, f"the mail server calls itself {server}, which has no address", fix)
        for ip in addresses:
            names = lookup(ip, "PTR") or ()
            if server.lower() not in map(str.lower, names):
                fix = f"let the owner of the address (your hoster) point it to {server}"
                return wrong(name, f"{ip} leads to {', '.join(names) or 'no name'}", fix)
        return ok(name, f"{server} and {', '.join(addresses)} lead to each other")

    return asked(name, lookup, server, check)


def sender_records(sender: str, returns: str, lookup: Lookup | None) -> tuple[Finding, ...]:
    """Check SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489).

    Args:
        sender: the domain of From, which DKIM and DMARC go by.
        returns: the domain of the return path, which SPF goes by.
        lookup: the DNS; None if there is no name server.
    """
    checks: dict[str, tuple[str, Callable[[Lookup], Finding]]] = {
        "SPF": (returns, lambda lookup: _spf(returns, lookup)),
        "DKIM": (sender, lambda lookup: _dkim(sender, lookup)),
        "DMARC": (sender, lambda lookup: _dmarc(sender, returns, lookup)),
    }
    return tuple(asked(name, lookup, *check) for name, check in checks.items())


def _spf(domain: str, lookup: Lookup) -> Finding:
    records = [text for text in lookup(domain) or () if text.lower().split(" ")[0] == "v=spf1"]
    if len(records) != 1:
        said = f"{domain} has {len(records) or 'no'} SPF records"
        fix = f'keep one TXT record at {domain}, for example "v=spf1 mx a:YOUR.RELAY -all"'
        return wrong("SPF", said, fix)
    if records[0].lower().split()[-1] in {"all", "+all", "?all"}:
        fix = f"end the TXT record at {domain} with -all or ~all"
        return wrong("SPF", f"{domain} lets any server send: {records[0]}", fix)
    return ok("SPF", records[0])


def _dkim(domain: str, lookup: Lookup) -> Finding:
    # The keys cannot be listed, but a name exists if there is a name below it (RFC 8020).
    if not _has_keys(domain, lookup):
        fix = "let your mail server sign for this domain, and publish the key it gives you"
        return wrong("DKIM", f"there are no keys below _domainkey.{domain}", fix)
    return ok("DKIM", f"there are keys below _domainkey.{domain}")


def _has_keys(domain: str, lookup: Lookup) -> bool:
    return lookup(f"_domainkey.{domain}") is not None


def _dmarc(sender: str, returns: str, lookup: Lookup) -> Finding:
    for owner in _domain_and_parents(sender):
        for text in lookup(f"_dmarc.{owner}") or ():
            policy = text.replace(" ", "").lower()
            if not policy.startswith("v=dmarc1;"):
                continue
            if _aligns(sender, returns, strict="aspf=s" in policy.split(";")):
                return ok("DMARC", f"{owner}: {text}")
            said = f"{returns}, the return path's domain, is not aligned with {sender}"
            if _has_keys(sender, lookup):
                return ok("DMARC", f"{owner}: {text}; {said}, so DKIM has to pass")
            fix = (
                f"take a bounces.address of {_organization(sender)}, or let DKIM sign for {sender}"
            )
            return wrong("DMARC", f"{said}, and nothing signs for it", fix)
    record = f"v=DMARC1; p=none; rua=mailto:you@{sender}"
    fix = f'add a TXT record at _dmarc.{sender}, for example "{record}"'
    return wrong("DMARC", f"{sender} has no DMARC policy", fix)


def _aligns(sender: str, returns: str, *, strict: bool) -> bool:
    """Whether SPF for the return path counts for the sender (RFC 7489, 3.1.2)."""
    return returns == sender or (not strict and _organization(returns) == _organization(sender))


def _organization(domain: str) -> str:
    """The domain that its owner registered: ``example.org``, ``example.co.uk``."""
    national = rf"(?:{_SECOND_LEVEL})\.[a-z]{{2}}"
    found = re.search(rf"[^.]+\.(?:{national}|[^.]+)$", domain)
    return found[0] if found else domain


def _domain_and_parents(domain: str) -> Iterator[str]:
    """The domain and its parents of two labels or more; their policies apply to it too."""
    labels = domain.split(".")
    for start in range(max(len(labels) - 1, 1)):
        yield ".".join(labels[start:])
