"""What a check of the doctor found, and how it asks the DNS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal, Protocol

from dns.exception import DNSException
from dns.name import from_text
from dns.resolver import NXDOMAIN, NoAnswer, Resolver
from dns.reversename import from_address

RecordKind = Literal["TXT", "A", "AAAA", "MX", "PTR"]


MAX_NAMED = 5  # how many readers or files a finding names; the rest are only counted


class Lookup(Protocol):
    """Asks the DNS."""

    def __call__(self, name: str, kind: RecordKind = "TXT") -> tuple[str, ...] | None:
        """The records of a name; None if the name does not exist.

        Raises:
            DNSException: no name server answers.
        """


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: what was checked, its state, the details, and how to fix it."""

    name: str
    state: Literal["ok", "wrong", "not checked"]
    said: str
    fix: str = ""


def ok(name: str, said: str) -> Finding:
    """All is well, and what it is."""
    return Finding(name, "ok", said)


def wrong(name: str, said: str, fix: str) -> Finding:
    """Something is wrong, and what to do."""
    return Finding(name, "wrong", said, fix)


def not_checked(name: str, said: str) -> Finding:
    """This was not checked, and why."""
    return Finding(name, "not checked", said)


def is_loopback(host: str) -> bool:
    """Whether a host, by its name or address, is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def some(lines: Sequence[str]) -> str:
    """The first lines, and the number of the others."""
    more = len(lines) - MAX_NAMED
    return "; ".join((*lines[:MAX_NAMED], *([f"and {more} more"] if more > 0 else [])))


def resolver_lookup(resolver: Resolver) -> Lookup:
    """Look up records through a resolver's name servers, waiting for the same failure only once."""
    failed: dict[tuple[str, RecordKind], DNSException] = {}

    def lookup(name: str, kind: RecordKind = "TXT") -> tuple[str, ...] | None:
        if (name, kind) in failed:
            raise failed[name, kind]
        asked = from_address(name) if kind == "PTR" else from_text(name)
        try:
            answer = resolver.resolve(asked, kind)
        except NXDOMAIN:
            return None
        except NoAnswer:
            return ()
        except DNSException as error:
            failed[name, kind] = error
            raise
        return tuple(map(_text, answer))

    return lookup


def _text(record: Any) -> str:  # noqa: ANN401 - dnspython's records have no common type
    if strings := getattr(record, "strings", None):
        return b"".join(strings).decode("utf-8", "replace")
    return str(record.to_text()).rstrip(".")


def asked(
    name: str, lookup: Lookup | None, domain: str, check: Callable[[Lookup], Finding]
) -> Finding:
    """The result of a check that asks the DNS; "not checked" where the DNS does not answer."""
    top = domain.rpartition(".")[2]
    try:
        if lookup is None:
            problem = "could not be asked: no name server is configured on this machine"
        elif lookup(top) is not None:
            return check(lookup)
        else:
            problem = f"could not be asked: the name server does not know .{top}, as if offline"
    except DNSException as error:
        problem = f"could not be asked: no name server answered ({type(error).__name__})"
    return not_checked(name, problem)
