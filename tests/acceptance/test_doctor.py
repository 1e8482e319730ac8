"""The doctor, over real servers: SMTP with TLS and a login, names from a real name server."""

import asyncio
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from dns.exception import DNSException
from dns.flags import QR, RA
from dns.message import from_wire, make_response
from dns.rcode import NXDOMAIN
from dns.resolver import Resolver
from dns.rrset import from_text

from newsletter.app.clock import SystemClock
from newsletter.app.wiring import open_app
from newsletter.doctor import Finding, examine, resolver_lookup
from newsletter.doctor.checks import clock, http_date
from newsletter.doctor.findings import Lookup, RecordKind
from newsletter.doctor.sending import sender_records
from newsletter.model import Heartbeat
from newsletter.stores import open_store
from tests.support.cli import Newsletter
from tests.support.clocks import ManualClock
from tests.support.factories import NOON
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox
from tests.support.oauth_servers import token_login_server, token_server
from tests.support.smtp_servers import Reply, Stage, faulty_server

GOOD_RECORDS = {
    "org": [],
    "example.org": ["some-verification=1", "v=spf1 mx -all"],
    "_domainkey.example.org": [],
    "_dmarc.example.org": ["v=DMARC1; p=none"],
    "example.org A": ["192.0.2.1"],
}


Server = TypeVar("Server")


class NameServer:
    """A name server on loopback (UDP): texts by name, other records by name and kind."""

    def __init__(self, zone: Mapping[str, list[str]]) -> None:
        self.zone = dict(zone)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.answer, daemon=True)

    def answer(self) -> None:
        while True:
            wire, who = self.socket.recvfrom(4096)
            if not wire:
                return
            query = from_wire(wire)
            response = make_response(query)
            response.flags |= QR | RA
            name = query.question[0].name
            asked, kind = name.to_text(omit_final_dot=True), query.question[0].rdtype.name
            records = self.zone.get(asked if kind == "TXT" else f"{asked} {kind}", [])
            if asked not in {key.partition(" ")[0] for key in self.zone}:
                response.set_rcode(NXDOMAIN)
            elif records:
                quoted = [f'"{text}"' if kind == "TXT" else text for text in records]
                response.answer.append(from_text(name, 60, "IN", kind, *quoted))
            self.socket.sendto(response.to_wire(), who)

    def lookup(self) -> Lookup:
        resolver = Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.socket.getsockname()[1]
        return resolver_lookup(resolver)


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer(GOOD_RECORDS)
    server.thread.start()
    yield server
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", server.socket.getsockname())
    server.thread.join()
    server.socket.close()


@pytest.fixture
def newsletter(tmp_path: Path) -> Iterator[Newsletter]:
    with open_inbox() as inbox:
        made = Newsletter(tmp_path, inbox.port)
        made.configure()
        made.subscribe({"email": "ada@example.org"})
        yield made


@contextmanager
def in_thread(server: AbstractAsyncContextManager[Server]) -> Iterator[Server]:
    """Run a server in a thread of its own."""
    loop, ready, done = asyncio.new_event_loop(), queue.SimpleQueue[Server](), asyncio.Event()

    async def run() -> None:
        async with server as running:
            ready.put(running)
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    thread.start()
    try:
        yield ready.get()
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def run_doctor(newsletter: Newsletter, lookup: Lookup | None = None) -> dict[str, Finding]:
    found = examine(newsletter.folder / "newsletter.yaml", lookup)
    return {finding.name: finding for finding in found}


def test_healthy_newsletter_passes(newsletter: Newsletter, names: NameServer) -> None:
    with serve(lambda _path, _query: (200, {}, b"the pages")) as origin:
        newsletter.configure(url=origin)
        found = run_doctor(newsletter, names.lookup())
    assert {name for name, finding in found.items() if finding.state == "wrong"} == set()
    unknown = {name for name, finding in found.items() if finding.state == "not checked"}
    assert unknown == {"PTR", "unsubscribe", "bounces", "ping", "sources", "last run", "last issue"}
    assert found["SPF"].said == "v=spf1 mx -all"
    assert found["public URL"].said.endswith("answers 200")


def test_store_on_a_network_file_system_is_named(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = newsletter.folder / "mountinfo"
    mounts.write_text(f"40 22 0:40 / {newsletter.folder.resolve()} rw - nfs4 nas:/export rw\n")
    monkeypatch.setattr("newsletter.stores.file_systems._MOUNTS", mounts)
    finding = run_doctor(newsletter)["store's disk"]
    assert (finding.state, "(nfs4)" in finding.said) == ("wrong", True)
    assert finding.fix == "Move the store to a local disk, or use PostgreSQL"


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:8000", "https://n.example.org/"])
def test_webhooks_need_a_public_address(newsletter: Newsletter, url: str | None) -> None:
    newsletter.configure(url=url, bounces={"webhooks": {"brevo": "x" * 16, "mailjet": "x" * 16}})
    found = run_doctor(newsletter)
    assert "bounces" not in found
    if url is not None and url.startswith("https"):
        assert "https://n.example.org/bounces/brevo, https" in found["webhooks"].said
    else:
        assert found["webhooks"].state == "wrong"
        assert "set `url:` to the public address" in found["webhooks"].fix


@pytest.mark.parametrize("status", [500, None])
def test_failing_pages_are_reported(newsletter: Newsletter, status: int | None) -> None:
    with serve(lambda _path, _query: (status or 200, {}, b"")) as origin:
        newsletter.configure(url=origin)
        if status is not None:
            assert run_doctor(newsletter)["public URL"].said.endswith("answers 500")
    if status is None:
        assert "does not answer" in run_doctor(newsletter)["public URL"].said


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("SPF", {"example.org": []}, "example.org has no SPF records"),
        ("SPF", {"example.org": ["v=spf1 a", "v=spf1 mx"]}, "example.org has 2 SPF records"),
        ("SPF", {"example.org": ["v=spf1 +all"]}, "example.org lets any server send: v=spf1 +all"),
        ("DKIM", {"_domainkey.example.org": None}, "no keys below _domainkey.example.org"),
        ("DMARC", {"_dmarc.example.org": None}, "example.org has no DMARC policy"),
    ],
)
def test_missing_dns_records_are_named_with_remedy(
    names: NameServer, name: str, change: Mapping[str, Any], said: str
) -> None:
    names.zone = {k: v for k, v in {**GOOD_RECORDS, **change}.items() if v is not None}
    found = {
        each.name: each for each in sender_records("example.org", "example.org", names.lookup())
    }
    assert said in found.pop(name).said
    assert {finding.state for finding in found.values()} == {"ok"}


def test_policy_of_the_parent_domain_counts(names: NameServer) -> None:
    names.zone |= {"news.example.org": ["v=spf1 mx ~all"], "_domainkey.news.example.org": []}
    found = sender_records("news.example.org", "news.example.org", names.lookup())
    assert [finding.state for finding in found] == ["ok", "ok", "ok"]


def no_answer(name: str, kind: RecordKind = "TXT") -> tuple[str, ...]:
    del name, kind
    raise DNSException


def no_such_name(name: str, kind: RecordKind = "TXT") -> None:
    del name, kind


@pytest.mark.parametrize("lookup", [None, no_answer, no_such_name])
def test_offline_the_dns_is_not_checked(newsletter: Newsletter, lookup: Lookup | None) -> None:
    found = run_doctor(newsletter, lookup)
    assert {found[name].state for name in ("SPF", "DKIM", "DMARC", "PTR")} == {"not checked"}
    assert all("could not be asked" in found[name].said for name in ("SPF", "DKIM", "DMARC"))


@pytest.mark.slow
def test_silent_name_server_is_waited_for_once(newsletter: Newsletter) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], silent.getsockname()[1]
        resolver.lifetime = 0.1
        newsletter.configure(smtp={"host": "127.0.0.1", "port": 1, "helo": "mail.example.org"})
        found = run_doctor(newsletter, resolver_lookup(resolver))
        silent.setblocking(False)
        asked = {from_wire(silent.recv(4096)).question[0].name.to_text()}
        with suppress(BlockingIOError):
            while True:
                asked.add(from_wire(silent.recv(4096)).question[0].name.to_text())
    assert asked == {"org."}
    assert all("could not be asked" in found[name].said for name in ("SPF", "DKIM", "DMARC"))


@pytest.mark.slow
def test_every_problem_is_reported_with_exit_code_one(newsletter: Newsletter) -> None:
    smtp = {"host": "127.0.0.1", "port": 1, "security": "none"}
    newsletter.configure(smtp=smtp, url="http://papers.example.org", templates="nowhere")
    document = newsletter.json("doctor", code=1)
    wrong = {check["name"]: check for check in document["checks"] if check["state"] == "wrong"}
    assert not document["ok"]
    assert {"SMTP", "public URL", "templates"} <= set(wrong)
    assert all(check["fix"] for check in wrong.values())
    assert "smtp.host and smtp.port" in wrong["SMTP"]["fix"]
    assert newsletter.run("doctor", code=1).stdout.count("\n") == len(document["checks"])


def test_wrong_configuration_is_the_only_report(newsletter: Newsletter) -> None:
    newsletter.configure(timezone="Nowhere/Land")
    (check,) = newsletter.json("doctor", code=1)["checks"]
    assert (check["name"], check["state"]) == ("configuration", "wrong")
    assert "timezone" in check["said"]


def test_unopenable_store_is_reported(newsletter: Newsletter) -> None:
    newsletter.configure(store="sqlite:////nowhere/at/all.db")
    found = run_doctor(newsletter)
    assert found["store"].state == "wrong"
    assert "last run" not in found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "ago", "state"),
    [
        ("", timedelta(seconds=20), "ok"),
        ("", timedelta(hours=1), "wrong"),
        ("stopped", timedelta(hours=1), "ok"),
        ("StoreError: locked", timedelta(seconds=20), "wrong"),
    ],
)
def test_last_run_is_judged_by_its_heartbeat(
    newsletter: Newsletter, said: str, ago: timedelta, state: str
) -> None:
    seen = SystemClock().now() - ago
    store = open_store(f"sqlite:///{newsletter.folder}/newsletter.db")
    store.record_heartbeat(Heartbeat("run here", seen, seen, said))
    store.close()
    assert run_doctor(newsletter)["last run"].state == state


def test_clock_behind_the_past_is_reported(newsletter: Newsletter) -> None:
    seen = SystemClock().now() + timedelta(hours=1)
    store = open_store(f"sqlite:///{newsletter.folder}/newsletter.db")
    store.record_heartbeat(Heartbeat("run here", seen, seen))
    store.close()
    assert run_doctor(newsletter)["clock"].state == "wrong"


def test_clock_differing_from_a_server_is_reported(newsletter: Newsletter) -> None:
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        elsewhere = http_date("Mon, 03 Aug 2026 12:10:00 GMT")
        late = clock(replace(app, clock=ManualClock(NOON)), elsewhere, store_is_open=False)
        right = clock(replace(app, clock=ManualClock(NOON)), NOON, store_is_open=False)
    assert (late.state, right.state) == ("wrong", "ok")
    assert "2026-08-03 12:00:00 UTC here, 12:10:00 on a web server" in late.said


@pytest.mark.parametrize("header", [None, "", "yesterday", "Mon, 99 Aug 2026 12:00:00 GMT"])
def test_invalid_date_header_is_ignored(header: str | None) -> None:
    assert http_date(header) is None


@pytest.mark.slow
def test_letters_in_trouble_are_reported(tmp_path: Path) -> None:
    entry = {"paper": {"id": "2608.00001", "title": "A paper", "summary": "A text."}}
    listing = daily_papers({"2026-08-03": [entry]})
    with open_inbox(lambda _who: "550 5.1.1 no such user") as inbox, serve(listing) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        newsletter.configure(sources=[source])
        newsletter.subscribe({"email": "ada@example.org"})
        told = newsletter.run("send", "--date", "2026-08-03", "--yes", "--quiet", code=5).stderr
        again = newsletter.run("send", "--date", "2026-08-03", "--yes", "--quiet", code=5).stderr
        found = run_doctor(newsletter)
    assert "2026-08-03: ada@example.org failed: 550 5.1.1 no such user\n" in told
    assert "ada@example.org" not in again, "told once"
    assert found["last issue"].state == "wrong"
    assert found["last issue"].said.startswith("2026-08-03 is done_with_errors: 0 of 1 accepted")
    assert "ada@example.org failed: 550 5.1.1 no such user" in found["letters"].said


@pytest.mark.parametrize(
    ("returns", "policy", "keys", "state", "said"),
    [
        ("bounce.example.org", "v=DMARC1; p=none", False, "ok", "example.org: v=DMARC1"),
        ("mail.example.net", "v=DMARC1; p=none", True, "ok", "so DKIM has to pass"),
        ("mail.example.net", "v=DMARC1; p=none", False, "wrong", "nothing signs for it"),
        ("bounce.example.org", "v=DMARC1; p=reject; aspf=s", False, "wrong", "is not aligned"),
    ],
)
def test_alignment_of_the_return_path_is_checked(
    names: NameServer, returns: str, policy: str, *, keys: bool, state: str, said: str
) -> None:
    names.zone["_dmarc.example.org"] = [policy]
    if not keys:
        del names.zone["_domainkey.example.org"]
    *_, dmarc = sender_records("example.org", returns, names.lookup())
    assert dmarc.state == state
    assert said in dmarc.said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("helo", "state", "said"),
    [
        (None, "ok", ""),
        ("localhost", "wrong", "localhost is no full host name"),
        ("nowhere.example.org", "wrong", "is not in the DNS"),
        ("[192.0.2.1]", "ok", "[192.0.2.1]"),
    ],
)
def test_name_for_ehlo_is_shown_and_checked(
    newsletter: Newsletter, names: NameServer, helo: str | None, state: str, said: str
) -> None:
    smtp = {"host": "127.0.0.1", "port": newsletter.smtp_port, "security": "none", "helo": helo}
    newsletter.configure(smtp=smtp)
    names.zone |= {f"{socket.getfqdn()} A": ["192.0.2.1"]}
    found = run_doctor(newsletter, names.lookup())["EHLO name"]
    assert (found.state, bool(found.fix)) == (state, state == "wrong")
    assert said in found.said


def refused(newsletter: Newsletter, script: dict[Stage, list[Reply]]) -> dict[str, Finding]:
    """What the doctor finds at a server that follows a script."""
    with in_thread(faulty_server(script)) as server:
        newsletter.configure(smtp={"host": "127.0.0.1", "port": server.port, "security": "none"})
        return run_doctor(newsletter)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "state", "fix"),
    [
        ({}, "ok", ""),
        ({"MAIL": ["553 5.7.1 not owned by user"]}, "wrong", "bounces.address, or sender"),
        ({"RCPT": ["554 5.7.1 <x>: Relay access denied"]}, "wrong", "smtp.username"),
        ({"RCPT": ["550 5.1.1 no such user"]}, "wrong", "let papers@example.org exist"),
        ({"RCPT": ["504 <x>: Helo command rejected"]}, "wrong", "set smtp.helo"),
        ({"RCPT": ["450 4.2.0 greylisted"]}, "not checked", ""),
    ],
)
def test_sender_is_tried_without_sending(
    newsletter: Newsletter, script: dict[Stage, list[Reply]], state: str, fix: str
) -> None:
    found = refused(newsletter, script)
    assert found["SMTP"].state == "ok"
    assert found["sender"].state == state
    assert fix in found["sender"].fix


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "state"), [("0", "ok"), ("100000", "wrong"), ("9999999", "ok")])
def test_limit_of_size_is_compared(newsletter: Newsletter, limit: str, state: str) -> None:
    found = refused(newsletter, {"EHLO": [f"250-localhost\r\n250 SIZE {limit}"]})
    assert found["size"].state == state


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zone", "state"),
    [
        (
            {"mx.example.org A": ["192.0.2.7"], "7.2.0.192.in-addr.arpa PTR": ["mx.example.org."]},
            "ok",
        ),
        ({"mx.example.org A": ["192.0.2.7"]}, "wrong"),
        ({"mx.example.org A": ["192.0.2.7"], "7.2.0.192.in-addr.arpa PTR": ["a.b.c."]}, "wrong"),
        ({}, "wrong"),
    ],
)
def test_address_of_the_own_mail_server_leads_back(
    newsletter: Newsletter, names: NameServer, zone: dict[str, list[str]], state: str
) -> None:
    names.zone |= zone
    script: dict[Stage, list[Reply]] = {"EHLO": ["250-mx.example.org hello\r\n250 8BITMIME"]}
    with in_thread(faulty_server(script)) as server:
        newsletter.configure(smtp={"host": "127.0.0.1", "port": server.port, "security": "none"})
        assert run_doctor(newsletter, names.lookup())["PTR"].state == state


@pytest.mark.slow
def test_doctor_logs_in_by_token(newsletter: Newsletter) -> None:
    with (
        token_server((400, {"error": "invalid_grant"})) as tokens,
        in_thread(token_login_server()) as server,
    ):
        login = {"token_url": tokens.url, "client_id": "app", "refresh_token": "r3fresh"}
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        newsletter.configure(smtp={**smtp, "username": "n@example.org", "oauth": login})
        revoked = run_doctor(newsletter)["SMTP"]
        accepted = run_doctor(newsletter)["SMTP"]
    assert "refresh_token" in revoked.fix
    assert "logged in as n@example.org by XOAUTH2" in accepted.said
    assert "r3fresh" not in f"{revoked}{accepted}"
