"""Three weeks of an operator and of readers, scripted; prints what was done and what went wrong.

``python -m tests.faults.three_weeks [--life lab|community ...] [--readers N] [--days N] [--seed N]
[--store sqlite|postgres]``

A lab of 40 readers in `subscribers.yaml` on SQLite, sent by cron; and a community of 5,000 in the
store, on PostgreSQL where it is installed, with `newsletter run` and the pages behind nginx. Every
day the clock is stepped, the issue leaves through a real Postfix, readers join, choose, leave and
bounce, and the operator does what operators do, by the commands as they are typed. After each issue
and at the end: is each choice as the reader, or a confirmed act of the operator, made it? Did each
letter come once? Did anybody get one who had left? Exit code 1: something was violated.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from importlib.util import find_spec
from pathlib import Path

from newsletter.app.clock import SystemClock
from tests.faults.databases import WHEEL, Postgres, database
from tests.faults.weeks_people import People, Person, as_csv, as_listed
from tests.faults.weeks_town import TOPICS, Town, open_town

DAY = timedelta(days=1)
LIVES = ("lab", "community")
STEP = timedelta(minutes=5)  # between two acts
GONE = 2  # readers whose mailbox ends

Act = Callable[["Life"], None]


@dataclass
class Life:
    """One newsletter's three weeks."""

    town: Town
    people: People
    begin: date
    days: int
    server: Postgres | None = None
    joined: int = 0
    relaxed: set[date] = field(default_factory=set)
    """Days whose letters may be missing, because the operator or the relay stopped them."""

    @property
    def is_lab(self) -> bool:
        return not self.town.site

    def live(self, acts: list[Act]) -> None:
        """Every day: the issue, the operator, the readers; then the last look at everything."""
        if not self.is_lab:
            self.town.start()
        for number in range(self.days):
            day = self.begin + number * DAY
            self._send(day)
            self.town.go_to(datetime.combine(day, time(10), UTC))
            first, last = (len(acts) * n // self.days for n in (number, number + 1))
            for act in acts[first:last]:
                self.town.go_to(self.town.now + STEP)
                act(self)
                self.town.wait_for_tick()
                self.town.settle()
            self._readers(number)
        if self.is_lab:
            self.town.run("bounces", "read")
        self.town.stop()
        self.people.check_end()
        for number in range(self.days):
            issue = (self.begin + number * DAY).isoformat()
            proofs = self.town.json("audit", issue).get("invariants", [])
            broken = "; ".join(
                f"{each['id']}: {each['rows'][:3]}" for each in proofs if each["rows"]
            )
            if broken:
                self.town.accuse(f"`newsletter audit {issue}` finds {broken}")

    def _send(self, day: date) -> None:
        town, at = self.town, datetime.combine(day, time(6, 50), UTC)
        town.go_to(at)
        town.wait_for_tick()
        town.go_to(at + timedelta(minutes=10, seconds=30))
        if self.is_lab:
            town.run("bounces", "read")
            town.run("send", "--yes", "--quiet", code=75 if town.is_down else None)
        if town.is_down:
            town.wait_for_tick()
            self.relaxed |= {day}
        else:
            town.wait_for_letters(day)
        self.people.check_morning(day, strict=day not in self.relaxed)

    def _readers(self, number: int) -> None:
        """What readers do on a day; in the lab they ask the operator."""
        town, people = self.town, self.people
        town.go_to(town.now + STEP)
        if number == 0:
            for _ in range(GONE):
                person = people.some()
                person.gone = True
                town.gone.add(person.email)
                town.say(f"the mailbox of {person.email} ends")
        if not self.is_lab:
            self.joined += 1
            if not town.is_down:
                people.join(f"joiner{self.joined}@readers.example.org")
            people.change(people.some())
            people.save_unchanged(people.some())
            people.leave(people.some())
        elif number % 3 == 1:
            person = next(p for p in people.known.values() if p.listed and p.active)
            person.keys = people.draw_keys()
            self.write_readers()
            town.say(f"{person.email} asks the operator for other topics, who edits the file")
        people.leave(people.some(), by_mail=True)
        town.go_to(town.now + STEP)
        town.wait_for_tick()
        town.settle()

    def write_readers(self) -> None:
        """Write subscribers.yaml with everybody who is listed."""
        listed = [person for person in self.people.known.values() if person.listed]
        text = as_listed(listed, self.town.topics)
        (self.town.folder / "subscribers.yaml").write_text(text, encoding="utf-8")


# -- what the operator does -------------------------------------------------------------------


def import_column(life: Life) -> None:
    """Import a column of addresses: known ones, one who left, and a new one."""
    known = [life.people.some() for _ in range(3)]
    left = life.people.left()[:1]
    new = Person(f"column{life.joined}@readers.example.org")
    lines = "\n".join(person.email for person in (*known, *left, new))
    (life.town.folder / "column.txt").write_text(f"{lines}\n", encoding="utf-8")
    life.town.run("subscribers", "import", "column.txt", code=None)
    life.people.add(new)
    life.town.say(f"imports a column of addresses; new is {new.email}")


def add_again(life: Life) -> None:
    """Add a known reader with --again, and one who left without."""
    known = life.people.some()
    life.town.run("subscribers", "add", known.email, "--again", code=None)
    for person in life.people.left()[:1]:
        life.town.run("subscribers", "add", person.email, code=None)
    life.town.say(f"adds {known.email}, who is there already, with --again")


def rename_topic(life: Life) -> None:
    """Rename a topic in newsletter.yaml by hand, then as the newsletter says."""
    town = life.town
    town.topics["alpha"] = "Alpha studies"
    town.write_topics()
    if not town.json("config", "check").get("warnings") and not life.is_lab:
        town.accuse("a topic that readers follow has another name, and `config check` says well")
    town.run("topics", "rename", "Alpha", "Alpha studies", "--yes", code=None)
    town.reread()
    life.write_readers()
    town.reload()
    town.say("renames the topic Alpha to Alpha studies")


def merge_topics(life: Life) -> None:
    """Merge a topic into another one."""
    town, people = life.town, life.people
    town.run("topics", "merge", "Beta", "Gamma", "--yes")
    town.reread()
    del town.topics["beta"]
    town.merged["gamma"] = {"beta"}
    for person in people.known.values():
        if "beta" in person.keys:
            person.keys = person.keys - {"beta"} | {"gamma"}
    life.write_readers()
    town.reload()
    town.say("merges Beta into Gamma")


def set_secret(life: Life) -> None:
    """Set `secret:`, as docs/pages.md says; the links of yesterday must still work."""
    town = life.town
    town.write(secret="a secret of the operator's own, long enough")
    town.restart()
    if life.is_lab:
        life.people.leave(life.people.some(), by_mail=True)
    else:
        life.people.change(life.people.some())
        life.people.leave(life.people.some())
    town.say("sets `secret:`; readers use the links of earlier letters")


def rotate_secret(life: Life) -> None:
    """Rotate the secret; the links of yesterday must still work."""
    town = life.town
    if town.knows("secret", "rotate"):
        town.run("secret", "rotate")
    else:
        old = town.settings.get("secret", [])
        town.write(secret=["a new secret of the operator", *([old] if old else [])])
    town.restart()
    if not life.is_lab:
        life.people.change(life.people.some())
        life.people.save_unchanged(life.people.some())
    town.say("rotates the secret; readers use the links of earlier letters")


def hang_up(life: Life) -> None:
    """SIGHUP with a changed configuration, then with a broken one."""
    town = life.town
    if town.daemon is None:
        return
    good = town.folder / "newsletter.yaml"
    for broken in (False, True):
        town.write(issue={"max_items": 50})
        if broken:
            good.write_text("name: [", encoding="utf-8")
        os.kill(town.daemon.pid, signal.SIGHUP)
        town.daemon.process.join(3)
        if town.daemon.exit_code is not None:
            kind = "a broken" if broken else "a good"
            town.accuse(f"SIGHUP with {kind} configuration ends `newsletter run`")
            town.write()
            town.stop(signal.SIGKILL)
            town.start()
    town.write()
    town.wait_for_tick()
    town.say("sends SIGHUP with a good and with a broken configuration")


def future_date(life: Life) -> None:
    """Send a date of next week by mistake, and undo it."""
    town = life.town
    town.go_to(datetime.combine(town.now.date() + DAY, time(5), UTC))
    town.run("fetch", code=None)
    day = (town.now.date() + 3 * DAY).isoformat()
    before = town.settle()
    town.run("send", "--date", day, "--yes", code=2)
    if town.settle() > before:
        town.accuse(f"`send --date {day} --yes` sends an issue of the future unasked")
    town.run("issue", "cancel", day, "--yes")
    life.town.stop()
    town.run("issue", "undo", day, "--yes")
    if not life.is_lab:
        town.start()
    town.say(f"wants to send the issue of {day} by mistake, cancels it, and undoes that")


def wrong_store(life: Life) -> None:
    """Write another `store:` by mistake, and run `send`."""
    town, store = life.town, life.town.settings["store"]
    town.stop()
    town.write(store="sqlite:///other.db")
    before = town.settle()
    done = town.run("send", "--yes", code=None)
    if town.settle() > before or done.returncode == 0:
        town.accuse(f"another `store:` sends: exit code {done.returncode}")
    town.write(store=store)
    if not life.is_lab:
        town.start()
    town.say("writes another `store:` by mistake, and puts it right")


def move_store(life: Life) -> None:
    """Move to another store."""
    town = life.town
    town.stop()
    new = "sqlite:///moved.db"
    if town.knows("store", "move"):
        town.run("store", "move", new)
    else:
        town.run("store", "copy", new)
    town.write(store=new)
    life.server = None
    if not life.is_lab:
        town.start()
    town.say(f"moves the store to {new}")


def back_up_and_restore(life: Life) -> None:
    """Make a backup; a reader leaves; then the backup is restored."""
    town = life.town
    store = town.settings["store"]
    if life.server is not None:
        life.server.dump(town.folder / "backup.dump")
    else:
        town.run("store", "copy", "backup.db")
    person = life.people.some()
    life.people.leave(person, by_mail=True)
    if life.is_lab:
        town.run("bounces", "read")
    else:
        town.go_to(town.now + timedelta(minutes=5))
        town.wait_for_tick()
        town.wait_for_tick()
    town.stop()
    if life.server is not None:
        life.server.restore(town.folder / "backup.dump")
    else:
        file = town.folder / store.removeprefix("sqlite:///")
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        (town.folder / "backup.db").rename(file)
    town.run("store", "restored", code=None)
    if not life.is_lab:
        town.start()
    town.say("restores a backup")


def relay_down(life: Life) -> None:
    """The relay ends until tomorrow's noon."""
    life.town.set_relay(up=False)
    life.town.say("the relay is down")


def relay_up(life: Life) -> None:
    """The relay is back."""
    life.town.set_relay(up=True)
    life.town.say("the relay is back")
    if life.is_lab:
        life.town.run("send", "--yes", "--quiet", code=None)
    life.town.go_to(life.town.now + timedelta(minutes=15))
    today = life.town.now.date()
    life.town.wait_for_letters(today)
    life.people.check_morning(today)


def kill_daemon(life: Life) -> None:
    """The machine loses its power."""
    if life.town.daemon is not None:
        life.town.stop(signal.SIGKILL)
        life.town.start()
        life.town.say("`newsletter run` is killed and started again")


def remove_and_erase(life: Life) -> None:
    """Remove a reader and erase another."""
    for words in (("remove",), ("erase", "--yes")):
        person = life.people.some()
        life.town.run("subscribers", words[0], person.email, *words[1:])
        person.left = life.town.now
        life.town.say(f"{words[0]}s {person.email}")


def prune(life: Life) -> None:
    """Prune the store."""
    if life.town.knows("store", "prune"):
        life.town.run("store", "prune", "--yes", code=None)
        life.town.say("prunes the store")


def remove_topic(life: Life) -> None:
    """Take a topic out: its readers keep the choice, or in the lab follow another one."""
    town = life.town
    then = ("--to", "Epsilon") if life.is_lab else ("--keep",)
    town.run("topics", "remove", "Delta", *then, "--yes")
    town.reread()
    del town.topics["delta"]
    life.people.lost.add("delta")
    for person in life.people.known.values() if life.is_lab else ():
        if "delta" in person.keys:
            person.keys = person.keys - {"delta"} | {"epsilon"}
    life.write_readers()
    town.reload()
    town.say("removes the topic Delta")


ACTS: list[Act] = [
    import_column, add_again, rename_topic, set_secret, hang_up, wrong_store, kill_daemon,
    back_up_and_restore, future_date, relay_down, relay_up, merge_topics, remove_and_erase,
    rotate_secret, import_column, move_store, add_again, remove_topic, prune, hang_up,
]  # fmt: skip


# -- the two newsletters ----------------------------------------------------------------------


def _people(town: Town, count: int, seed: int, *, listed: bool) -> People:
    """This many readers; one in five chose nothing, which means everything."""
    people = People(town, random.Random(seed))
    for number in range(count):
        keys = people.draw_keys() if number % 5 else frozenset()
        people.add(Person(f"reader{number}@readers.example.org", keys, listed=listed))
    return people


@contextlib.contextmanager
def newsletter(life: str, readers: int, days: int, seed: int, kind: str) -> Iterator[Life]:
    """A new newsletter with its readers, whose first day is the Monday after today."""
    today = SystemClock().now().date()
    begin = today + timedelta(days=7 - today.weekday())
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        is_lab = life == "lab"
        url, server = "sqlite:///newsletter.db", None
        if kind == "postgres" and not is_lab:
            opened = stack.enter_context(database("postgres", folder))
            assert isinstance(opened, Postgres)
            url, server = opened.url, opened
        at = datetime.combine(begin - DAY, time(12), UTC)
        town = stack.enter_context(open_town(folder, at, url, pages=not is_lab))
        town.patience += readers / 10
        people = _people(town, readers, seed, listed=is_lab)
        made = Life(town, people, begin, days, server)
        if is_lab:
            made.write_readers()
        else:
            text = as_csv(people.known.values(), TOPICS)
            (folder / "start.csv").write_text(text, encoding="utf-8")
            town.run("subscribers", "import", "start.csv")
        yield made


def main(words: list[str]) -> int:
    """Live the lives that the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(prog="three_weeks", description=__doc__)
    parser.add_argument("--life", action="append", choices=LIVES)
    parser.add_argument("--readers", type=int, default=5000, help="of the community")
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", default="postgres" if find_spec(WHEEL) else "sqlite")
    options = parser.parse_args(words)
    violations = []
    for name in options.life or LIVES:
        count = 40 if name == "lab" else options.readers
        with newsletter(name, count, options.days, options.seed, options.store) as life:
            servers = [life.town.relay and "Postfix", life.town.mailbox and "Dovecot"]
            print(f"{name}: {count} readers, {options.days} days, {[*filter(None, servers)]}")
            life.live(ACTS)
        violations += [f"{name}: {line}" for line in life.town.violations]
        print(f"{name}: {len(life.town.letters)} letters, {len(life.town.done)} acts")
    print(f"\n{len(violations)} violations", *violations, sep="\n  ")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
