"""The readers of three weeks: what each chose, what they do, and whether they got what they chose.

A reader's choice here is what the reader, or a confirmed act of the operator, made it. It is never
taken from the newsletter.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import lxml.html
from ruamel.yaml import YAML

from tests.faults.weeks_town import TOPICS, Town
from tests.support.daemons import wait_until
from tests.support.inbox import ReceivedMail

SEE_OTHER = 303
GRACE = timedelta(hours=3)  # within which a request by mail is read
NAMED = 5  # readers that a violation names


@dataclass
class Person:
    """A reader, with the words of the topics they chose; none means every paper.

    ``listed``: in subscribers.yaml. ``gone``: the mailbox has ended. ``left``: when they left.
    """

    email: str
    keys: frozenset[str] = frozenset()
    listed: bool = False
    gone: bool = False
    left: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether letters must come."""
        return self.left is None and not self.gone


@dataclass
class People:
    """Everybody who reads a newsletter, and the record of what they should get."""

    town: Town
    random: random.Random
    known: dict[str, Person] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    """The words of topics that the operator has removed."""

    def add(self, *people: Person) -> None:
        """Readers whom the operator added."""
        self.known |= {person.email: person for person in people}

    def some(self) -> Person:
        """A reader, drawn by chance, with a letter and with topics that are still there."""
        everybody = self.known.values()
        fits = [
            p
            for p in everybody
            if p.active and p.email in self.town.latest and p.keys & {*self.town.topics}
        ]
        return self.random.choice(fits)

    def left(self) -> list[Person]:
        """Who has left."""
        return [person for person in self.known.values() if person.left]

    def expected(self, person: Person) -> frozenset[str]:
        """The words of the topics whose papers they should get."""
        if not person.keys:
            return frozenset(TOPICS)
        present = person.keys & {*self.town.topics}
        return present.union(*(self.town.merged.get(key, set()) for key in present))

    # -- what they do -------------------------------------------------------------------------

    def draw_keys(self) -> frozenset[str]:
        """One to three topics of today's."""
        keys = sorted(self.town.topics)
        return frozenset(self.random.sample(keys, self.random.randint(1, min(3, len(keys)))))

    def join(self, email: str) -> None:
        """Subscribe on the page and confirm."""
        town, keys = self.town, self.draw_keys()
        names = [town.topics[key] for key in sorted(keys)]
        status = town.post("/join", {"email": email, "topics": names})
        note = self._note(email) if status == SEE_OTHER else None
        if note is None:
            town.accuse(f"{email} asks to join, and no confirmation comes (answer {status})")
            return
        link = _link(note.text, "confirm")
        if town.post(link, {}) != SEE_OTHER:
            town.accuse(f"{email} cannot confirm")
            return
        self.known[email] = Person(email, keys)
        town.say(f"{email} joins by the page: {', '.join(names)}")

    def _note(self, email: str) -> ReceivedMail | None:
        town = self.town
        town.notes.pop(email, None)

        def arrived() -> bool:
            town.collect()
            return email in town.notes

        try:
            wait_until(arrived)
        except AssertionError:
            return None
        return town.notes[email]

    def change(self, person: Person) -> None:
        """Choose other topics on the page."""
        keys = self.draw_keys()
        names = [self.town.topics[key] for key in sorted(keys)]
        if self._save(person, topics=names):
            person.keys = keys
            self.town.say(f"{person.email} chooses {', '.join(names)}")

    def save_unchanged(self, person: Person) -> None:
        """Open the preferences and press Save."""
        if self._save(person):
            self.town.say(f"{person.email} saves the preferences unchanged")

    def _save(self, person: Person, **fields: object) -> bool:
        link = _link(self.town.latest[person.email].text, "preferences")
        status, page = self.town.get(link)
        sent: dict[str, Any] = {}
        if status == 200:
            document = lxml.html.document_fromstring(page)
            assert isinstance(document, lxml.html.HtmlElement)
            forms = document.forms
            form = next(form for form in forms if "include" in form.fields)
            for name, value in form.form_values():
                sent.setdefault(name, []).append(value)
            status = self.town.post(link, sent | fields | {"do": "save"})
        if status != SEE_OTHER:
            self.town.accuse(f"{person.email} cannot save the preferences: {status}")
        return status == SEE_OTHER

    def leave(self, person: Person, *, by_mail: bool = False) -> None:
        """Unsubscribe with a mail program's one click, or by its mail."""
        header = str(self.town.latest[person.email].message["List-Unsubscribe"])
        if by_mail:
            address, _, subject = header.partition("mailto:")[2].rstrip(">").partition("?subject=")
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Date"] = person.email, address, "x"
            mail["Subject"] = subject.replace("%20", " ")
            mail["Message-ID"] = f"<{person.email}.{self.town.now.timestamp()}>"
            mail.set_content("")
            self.town.bring(mail.as_bytes())
        else:
            link = header.partition("<http")[2].partition(">")[0]
            status = self.town.post(f"http{link}", {"List-Unsubscribe": "One-Click"})
            if status != 200:
                self.town.accuse(f"{person.email} cannot unsubscribe: {status}")
                return
        person.left = self.town.now
        self.town.say(f"{person.email} leaves {'by mail' if by_mail else 'by one click'}")

    # -- whether they got it ------------------------------------------------------------------

    def check_morning(self, day: date, *, strict: bool = True) -> None:
        """Compare the letters of a day with what each reader chose.

        Without ``strict`` a letter may be missing: the relay was down, or the issue was stopped.
        """
        got = self.town.letters_of(day)
        active = {e: p for e, p in self.known.items() if p.active and self.expected(p)}
        if strict:
            self._accuse(f"no letter of {day}", [email for email in active if email not in got])
        wrong = [
            f"{email} (chose {_words(self.expected(p))}, got {_words(got[email][0].keys)})"
            for email, p in active.items()
            if email in got and got[email][0].keys != self.expected(p)
        ]
        self._accuse(f"other papers than chosen on {day}", wrong)

    def check_end(self) -> None:
        """Compare the stored choices with the readers' own, and count every letter."""
        ids = Counter((letter.email, letter.message_id) for letter in self.town.letters)
        days = Counter((letter.email, letter.day) for letter in self.town.letters)
        self._accuse("the same letter twice", [e for (e, _), count in ids.items() if count > 1])
        self._accuse("two letters of a day", [e for (e, _), count in days.items() if count > 1])
        left = {person.email: person.left + GRACE for person in self.known.values() if person.left}
        late = [x.email for x in self.town.letters if x.email in left and x.at > left[x.email]]
        self._accuse("letters to readers who had left", late)
        strangers = {letter.email for letter in self.town.letters} - {*self.known}
        self._accuse("letters to readers who never joined", sorted(strangers))
        self._check_stored()

    def _check_stored(self) -> None:
        self.town.run("subscribers", "export", "end.yaml")
        stored = self._stored()
        topics = self.town.settings["topics"]
        present = {was: topic["name"] for topic in topics for was in topic.get("formerly", ())}
        for email, person in self.known.items():
            entry = stored.get(email, {"status": "unsubscribed"})
            status = entry.get("status", "confirmed")
            if (status == "confirmed") != (person.left is None) and not person.gone:
                self._accuse(f"stored as {status}", [email])
            names = {name for key, name in self.town.topics.items() if key in person.keys}
            has = {present.get(name, name) for name in entry.get("topics", ())}
            has -= {key.capitalize() for key in self.lost}
            if person.left is None and has != names:
                self._accuse(f"chose {sorted(names)}, stored is {sorted(has)}", [email])

    def _stored(self) -> dict[str, dict[str, Any]]:
        document = YAML(typ="safe").load(self.town.folder / "end.yaml")
        return {entry["email"]: entry for entry in document["subscribers"]}

    def _accuse(self, what: str, whom: Sequence[str]) -> None:
        if whom:
            more = f" and {len(whom) - NAMED} more" if len(whom) > NAMED else ""
            self.town.accuse(f"{what}: {', '.join(whom[:NAMED])}{more}")


def _words(keys: Iterable[str]) -> str:
    return "+".join(sorted(keys)) or "nothing"


def _link(text: str, page: str) -> str:
    found = re.search(rf"https?://\S+/{page}/[\w.-]+", text)
    assert found is not None, f"no link to {page} in:\n{text}"
    return found[0]


def as_csv(people: Iterable[Person], names: dict[str, str]) -> str:
    """A file of readers with their topics, as `import` reads it."""
    lines = (
        f"{person.email},{';'.join(names[key] for key in sorted(person.keys))}" for person in people
    )
    return "\n".join(("email,topics", *lines, ""))


def as_listed(people: Iterable[Person], names: dict[str, str]) -> str:
    """A subscribers.yaml (YAML holds JSON) of these readers."""
    entries = [
        {"email": person.email, "topics": [names[k] for k in sorted(person.keys) if k in names]}
        for person in people
    ]
    return json.dumps({"subscribers": entries}, indent=1)
