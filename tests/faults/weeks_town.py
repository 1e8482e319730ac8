"""What surrounds a newsletter for three weeks: its papers, its mail, its clock, its commands.

The relay is a real Postfix where one is installed, which hands everything to a server that keeps
it; mail that comes back goes to a Dovecot where there is one, else into a Maildir.
"""

import contextlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus, client
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import urlencode, urlsplit

from ruamel.yaml import YAML

from newsletter.app.clock import SystemClock
from tests.faults.command import CLOCK
from tests.support.daemons import free_port, wait_until
from tests.support.dovecot import PASSWORD, USER, Dovecot, running_dovecot
from tests.support.http_servers import Page, serve
from tests.support.inbox import Inbox, ReceivedMail, open_inbox
from tests.support.nginx import has_nginx, running_nginx
from tests.support.postfix import Postfix, running_postfix
from tests.support.processes import CONTROLS, Command, run_command, running_command

TOPICS = {key: key.capitalize() for key in ("alpha", "beta", "gamma", "delta", "epsilon")}
"""The topics' names at the beginning, by the word that their papers have in the title."""

PAPERS = 2  # of each topic on each day
TICK = 0.3  # seconds between two ticks of `newsletter run`
NEVER = datetime.min.replace(tzinfo=UTC)

_ISSUE = re.compile(rb"^Feedback-ID: (\d{4}-\d\d-\d\d):[^:]*:issue:", re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.MULTILINE | re.IGNORECASE)
_TITLE = re.compile(rb"\b([A-Z][a-z]+)qx study (\d{8})")


@dataclass(frozen=True, slots=True)
class IssueLetter:
    """A letter of an issue as it arrived: its day, and the words of the topics in it."""

    email: str
    day: date
    message_id: bytes
    keys: frozenset[str]
    at: datetime


def paper(day: date, key: str, number: int) -> dict[str, Any]:
    """A paper of a topic, as Hugging Face lists it."""
    place = list(TOPICS).index(key)
    return {
        "paper": {
            "id": f"{day:%y%m}.{day:%d}{place}{number:02}",
            "title": f"{key.capitalize()}qx study {day:%Y%m%d} number {number}",
            "summary": "A text.",
            "authors": [],
            "publishedAt": f"{day}T00:00:00.000Z",
        }
    }


@dataclass
class Town:
    """A newsletter's folder, and the world around it.

    Attributes:
        settings: newsletter.yaml as the operator writes it.
        topics: the present name of each topic, by its word.
        merged: the topics, by word, that another one has taken over, by its word.
        gone: the addresses that the readers' servers do not know.
        done: what was done, a line each.
        violations: what must not be, a line each.
        now: the newsletter's time.
        latest: each reader's last letter. Older ones are not kept: they would fill the memory.
        patience: seconds in which an issue must leave.
    """

    folder: Path
    inbox: Inbox
    relay: Postfix | None
    mailbox: Dovecot | None
    settings: dict[str, Any]
    now: datetime
    site: str = ""
    topics: dict[str, str] = field(default_factory=lambda: dict(TOPICS))
    merged: dict[str, set[str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    letters: list[IssueLetter] = field(default_factory=list)
    notes: dict[str, ReceivedMail] = field(default_factory=dict)
    latest: dict[str, ReceivedMail] = field(default_factory=dict)
    patience: float = 120.0
    is_down: bool = False
    daemon: Command | None = None
    _stop: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def say(self, text: str) -> None:
        """Note something that was done."""
        self.done.append(f"{self.now:%a %d %b %H:%M}  {text}")
        print(f"  {self.done[-1]}", flush=True)

    def accuse(self, text: str) -> None:
        """Note something that must not be."""
        self.violations.append(f"{self.now:%a %d %b %H:%M}  {text}")
        print(f"  VIOLATION  {text}", flush=True)

    def write(self, **settings: object) -> None:
        """Write newsletter.yaml with these settings changed; None takes one out."""
        self.settings = {k: v for k, v in (self.settings | settings).items() if v is not None}
        text = json.dumps(self.settings, indent=1)
        (self.folder / "newsletter.yaml").write_text(text, encoding="utf-8")

    def reread(self) -> None:
        """Take over what a command has changed in newsletter.yaml."""
        self.settings = YAML(typ="safe").load(self.folder / "newsletter.yaml")

    def write_topics(self) -> None:
        """Write the topics under their present names."""
        self.write(topics=[{"name": name, "any": [f"{k}qx"]} for k, name in self.topics.items()])

    def go_to(self, at: datetime) -> None:
        """Step the clock."""
        self.now = at
        new = self.folder / "clock.new"
        new.write_text(str((at - SystemClock().now()).total_seconds()), encoding="ascii")
        new.replace(self.folder / CLOCK)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "NO_COLOR": "1", CONTROLS: json.dumps({"tick": TICK})}

    def run(self, *words: str, code: int | None = 0) -> CompletedProcess[str]:
        """Run a command as the operator types it; another exit code than expected is told."""
        done = run_command(words, self.folder, self._environment)
        if code is not None and done.returncode != code:
            said = f"{done.stdout} {done.stderr}".strip()[-400:]
            self.accuse(f"`newsletter {' '.join(words)}` ends with {done.returncode}: {said}")
        return done

    def json(self, *words: str) -> Any:  # noqa: ANN401 - any JSON
        """A command's answer with --json; an empty object if it gives none."""
        done = self.run(*words, "--json", code=None)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def knows(self, *words: str) -> bool:
        """Whether the newsletter has a command."""
        return self.run(*words, "--help", code=None).returncode == 0

    # -- the daemon ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start `newsletter run` and wait until it ticks and serves the pages."""
        running = running_command(["run"], self.folder, self._environment)
        self.daemon = self._stop.enter_context(running)
        self.wait_for_tick()
        wait_until(lambda: self.get("/")[0] == HTTPStatus.OK, self.daemon)

    def stop(self, number: int | None = None) -> None:
        """Stop the daemon as systemd does, or with a signal of this number."""
        if self.daemon is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.daemon.pid, number or 15)
        code = self.daemon.wait()
        if number is None and code != 0:
            self.accuse(f"`newsletter run` ends with {code}: {self.daemon.stderr[-300:]}")
        self.daemon = None
        self._stop.close()

    def restart(self) -> None:
        """Stop the daemon and start it again, if this newsletter has one."""
        if self.daemon is not None:
            self.stop()
            self.start()

    def reload(self) -> None:
        """Let the daemon take in newsletter.yaml, if this newsletter has one."""
        if self.daemon is not None:
            self.run("reload")

    def wait_for_tick(self) -> None:
        """Wait until the daemon has begun a tick at the present time."""
        if self.daemon is not None:
            wait_until(lambda: self._seen() >= self.now, self.daemon)

    def _seen(self) -> datetime:
        threading.Event().wait(TICK)
        awake = self.json("status").get("awake", [])
        return max((datetime.fromisoformat(each["seen"]) for each in awake), default=NEVER)

    # -- mail ---------------------------------------------------------------------------------

    def answer(self, recipient: str) -> str | None:
        """What the readers' servers say to a recipient."""
        if recipient in self.gone:
            return "550 5.1.1 no such user here"
        return "451 4.3.2 not taking mail now" if self.is_down and self.relay is None else None

    def set_relay(self, *, up: bool) -> None:
        """Stop the relay or start it again."""
        self.is_down = not up
        if self.relay is not None:
            self.relay.control("start" if up else "stop")

    def collect(self) -> None:
        """Look at what has arrived since the last time."""
        while self.inbox.arrivals:
            mail = self.inbox.arrivals.pop(0)
            head = mail.content.partition(b"\r\n\r\n")[0]
            found, number = _ISSUE.search(head), _MESSAGE_ID.search(head)
            if mail.recipient.startswith("bounce+"):
                self.bring(mail.content)
            elif found is None:
                self.notes[mail.recipient] = mail
            else:
                body = mail.content.replace(b"=\r\n", b"")
                keys = frozenset(key.decode().lower() for key, _ in _TITLE.findall(body))
                day = date.fromisoformat(found[1].decode())
                assert number is not None
                letter = IssueLetter(mail.recipient, day, number[1], keys, self.now)
                self.letters.append(letter)
                self.latest[mail.recipient] = mail

    def bring(self, mail: bytes) -> None:
        """Deliver a mail to the newsletter's mailbox, dated as its clock is."""
        dated = f"Date: {format_datetime(self.now)}".encode()
        mail = re.sub(rb"^Date: .*$", dated, mail, count=1, flags=re.MULTILINE)
        if self.mailbox is not None:
            self.mailbox.deliver(mail)
            return
        new = self.folder / "bounces" / "new"
        for part in ("new", "cur", "tmp"):
            (new.parent / part).mkdir(parents=True, exist_ok=True)
        (new / f"{len(list(new.iterdir()))}.{self.now.timestamp():.0f}.town").write_bytes(mail)

    def letters_of(self, day: date) -> dict[str, list[IssueLetter]]:
        """The letters of an issue so far, by reader."""
        self.collect()
        found: dict[str, list[IssueLetter]] = {}
        for letter in self.letters:
            if letter.day == day:
                found.setdefault(letter.email, []).append(letter)
        return found

    def wait_for_letters(self, day: date) -> None:
        """Wait until the issue of a day has left and arrived."""
        status: dict[str, Any] = {}
        end = SystemClock().now() + timedelta(seconds=self.patience)
        while SystemClock().now() < end:
            status = self.json("status", day.isoformat())
            if status.get("planned") and not status["open"] and not self._in_transit():
                return
            threading.Event().wait(TICK)
        self.accuse(f"the issue of {day} does not leave: {json.dumps(status)[:300]}")

    def settle(self) -> int:
        """Wait until the relay has passed on what it took; the number of letters so far."""
        while self._in_transit():
            threading.Event().wait(TICK)
        self.collect()
        return len(self.letters)

    def _in_transit(self) -> bool:
        """Whether the relay still has mail to pass on."""
        if self.relay is None:
            return False
        queues = (self.relay.folder / "queue" / kind for kind in ("incoming", "active"))
        return any(path.is_file() for queue in queues for path in queue.rglob("*"))

    # -- the pages ----------------------------------------------------------------------------

    def get(self, link: str) -> tuple[int, str]:
        """Open a link."""
        return self._request("GET", link, None)

    def post(self, link: str, fields: object) -> int:
        """Send a form to a link; the status of the answer."""
        return self._request("POST", link, urlencode(fields, doseq=True))[0]  # type: ignore[arg-type]

    def _request(self, method: str, link: str, body: str | None) -> tuple[int, str]:
        parts = urlsplit(link if "://" in link else f"{self.site}{link}")
        connection = client.HTTPConnection(parts.netloc, timeout=60)
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, body, kind)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()


@contextlib.contextmanager
def open_town(folder: Path, begin: datetime, store: str, *, pages: bool) -> Iterator[Town]:
    """A town with a new newsletter, which sends each day at 07:00 UTC; ``pages``: by `run`."""
    with contextlib.ExitStack() as stack:
        inbox = stack.enter_context(open_inbox())
        to_inbox = f"smtp:[127.0.0.1]:{inbox.port}"
        relay = mailbox = None
        if shutil.which("postfix") and os.geteuid() == 0:
            settings = {"mydestination": "", "default_transport": to_inbox}
            relay = stack.enter_context(running_postfix({}, **settings))
        if shutil.which("dovecot") and os.geteuid() == 0:
            mailbox = stack.enter_context(running_dovecot())
        town = Town(folder, inbox, relay, mailbox, {}, begin)
        inbox.answer = town.answer
        stack.callback(town.stop)
        origin = stack.enter_context(serve(lambda path, query: _listing(town, path, query)))
        _configure(town, origin, store)
        if pages:
            port = free_port()
            proxy = stack.enter_context(running_nginx(port)) if has_nginx() else port
            town.site = f"http://127.0.0.1:{proxy}"
            town.write(url=town.site, web={"port": port, "trusted_proxies": ["127.0.0.1"]})
        town.go_to(begin)
        yield town


def _configure(town: Town, origin: str, store: str) -> None:
    bounces: dict[str, object] = {"address": "bounce@papers.example.org"}
    if town.mailbox is None:
        bounces["maildir"] = "bounces"
    else:
        login = {"host": "127.0.0.1", "port": town.mailbox.imap, "security": "none"}
        bounces["imap"] = {**login, "username": USER, "password": PASSWORD}
    port = town.inbox.port if town.relay is None else town.relay.port
    (town.folder / "subscribers.yaml").write_text("subscribers: []\n", encoding="utf-8")
    town.write(
        name="Daily Papers",
        sender="Daily Papers <papers@papers.example.org>",
        operator="operator@papers.example.org",
        postal_address="1 Example Street",
        timezone="UTC",
        schedule={"at": "07:00", "days": "daily"},
        store=store,
        smtp={"host": "127.0.0.1", "port": port, "security": "none"},
        bounces=bounces,
        sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}],
    )
    town.write_topics()


def _listing(town: Town, path: str, query: Mapping[str, str]) -> Page:
    """The papers of a date, unless it is in the future."""
    if path != "/api/daily_papers":
        return 404, {}, b"not found"
    day = date.fromisoformat(query["date"])
    papers = [paper(day, key, n) for key in TOPICS for n in range(PAPERS)]
    shown = papers if day <= town.now.date() and query.get("p", "0") == "0" else []
    return 200, {"Content-Type": "application/json"}, json.dumps(shown).encode()
