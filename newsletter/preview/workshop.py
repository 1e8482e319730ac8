"""The workshop: a newsletter's files read anew when one is saved, its letters made and kept."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from newsletter.app.app import App
from newsletter.config import IssueSettings
from newsletter.config.subscribers import same_mailbox
from newsletter.errors import ConfigurationError, InvalidFileError, NewsletterError, TemplateError
from newsletter.model import Reader, Verdict
from newsletter.preview.choice import Choice
from newsletter.preview.letter import Letter
from newsletter.publisher.drafting import anyone
from newsletter.publisher.explaining import why, why_anew
from newsletter.publisher.previewing import PreviewedLetter, anew, preview
from newsletter.publisher.publisher import Publisher
from newsletter.templates import find_folders, find_template_errors

THEMES: tuple[str, ...] = get_args(IssueSettings.model_fields["theme"].annotation)

LOOK_BACK = 31
"""Days before the chosen one that are offered where papers were read."""


@dataclass(frozen=True, slots=True)
class Made:
    """A letter that was made.

    Attributes:
        proof: the edition and the envelope.
        letter: the envelope's content, read back: the bytes as they would be sent.
        frozen: whether it is the letter as it was frozen, which no file changes any more.
    """

    proof: PreviewedLetter
    letter: Letter
    frozen: bool


class Workshop:
    """A newsletter at work; what was good last stays while a file is broken.

    Attributes:
        app: the newsletter as its files were when they were last all good.
        faults: what is wrong with the files as they are, by file and line.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.faults: tuple[ConfigurationError, ...] = ()
        self._desks: dict[str, Publisher] = {}
        self._made: dict[tuple[object, ...], Made] = {}
        self._try(self.app)

    def renew(self, saved: AbstractSet[Path]) -> None:
        """Take in files that were saved; of a broken one the last good state stays.

        What no saved file has a part in is taken over, for speed: who edits is waiting.
        """
        old, mending = self.app, bool(self.faults)
        settings, listed_subscribers = old.path in saved, old.subscribers_file in saved
        try:
            fresh = old.renewed() if settings or mending else replace(old)
        except ConfigurationError as error:
            self.faults = _each(error)
            return
        vars(fresh)["store"] = old.store
        if (
            saved <= {old.path, old.subscribers_file}
            and not mending
            and _same_templates(old, fresh)
        ):
            vars(fresh)["templates"] = old.templates
        self._try(fresh, readers=settings or listed_subscribers or mending)

    def _try(self, app: App, *, readers: bool = True) -> None:
        try:
            publisher = app.publisher if readers else app.preview_publisher
        except TemplateError as error:
            self.faults = find_template_errors(app.template_folder) or (error,)
            return
        except ConfigurationError as error:
            self.faults = _each(error)
            return
        self.app, self.faults = app, ()
        self._desks = {app.settings.issue.theme: publisher}
        self._made = {}

    def make(self, choice: Choice) -> Made:
        """The chosen letter, made now.

        Raises:
            NewsletterError: it cannot be; says why.
        """
        publisher = self.publisher(choice.theme)
        reader = self._reader(publisher, choice.email)
        if _is_anew(publisher, choice):
            proof, frozen = anew(publisher, choice.day, reader), False
        else:
            (proof,) = preview(publisher, choice.day, [reader])
            frozen = publisher.store.edition(choice.day, reader.subscriber.email) is not None
        made = Made(proof, Letter.read(b"".join(proof.envelope.content)), frozen)
        self._made[choice.letter] = made
        return made

    def verdicts(self, choice: Choice) -> tuple[Verdict, ...]:
        """For every paper of the day, in the chosen letter or not, its one reason."""
        publisher = self.publisher(choice.theme)
        reader = self._reader(publisher, choice.email)
        if _is_anew(publisher, choice):
            return why_anew(publisher, choice.day, reader)
        return tuple(why(publisher, choice.day, [reader]))

    def made(self, choice: Choice) -> Made:
        """The chosen letter as the page has it, made now where it has none."""
        return self._made.get(choice.letter) or self.make(choice)

    def made_out(self, choice: Choice, to: str) -> PreviewedLetter:
        """The chosen letter made out to another address; its links change nothing."""
        publisher = self.publisher(choice.theme)
        reader = self._reader(publisher, choice.email)
        if _is_anew(publisher, choice):
            return anew(publisher, choice.day, reader, to)
        (proof,) = preview(publisher, choice.day, [reader], to)
        return proof

    def mistakes(self) -> tuple[ConfigurationError, ...]:
        """What is wrong with any template, notes included, as ``newsletter templates check``."""
        try:
            return find_template_errors(self.app.template_folder)
        except TemplateError as error:
            return (error,)

    def readers(self) -> list[str]:
        """Whose letters may be looked at."""
        readers = self.app.store.readers()
        return sorted(one.subscriber.email for one in readers if one.status == "confirmed")

    def days(self, chosen: date) -> list[date]:
        """The days that have papers or an issue, newest first, and the chosen one."""
        store = self.app.store
        back = (chosen - timedelta(days=days) for days in range(1, LOOK_BACK))
        read = (day for day in back if store.papers_read(day))
        return sorted({chosen, *store.days(), *read}, reverse=True)

    def publisher(self, theme: str) -> Publisher:
        """The publisher's desk, letters set in this theme.

        Raises:
            NewsletterError: the files were never all good, or the theme is not.
        """
        if not self._desks:
            raise NewsletterError("there is no letter yet: the files have to be mended first")
        if theme not in self._desks:
            self._desks[theme] = self.app.themed(theme)
        return self._desks[theme]

    def _reader(self, publisher: Publisher, email: str) -> Reader:
        if not email:
            return anyone(publisher)
        for reader in publisher.store.readers():
            if same_mailbox(reader.subscriber.email) == same_mailbox(email):
                return reader
        raise NewsletterError(f"there is no reader {email}; choose another")


def watched(app: App) -> tuple[Path, ...]:
    """The files and folders letters are made of."""
    found = (app.path, app.subscribers_file, *find_folders().paths)
    return (*found, app.template_folder) if app.template_folder else found


def _is_anew(publisher: Publisher, choice: Choice) -> bool:
    """Whether nothing counts as sent: for somebody who wants everything, also on a frozen day."""
    return choice.anew or (not choice.email and bool(publisher.store.waves(choice.day)))


def _same_templates(old: App, fresh: App) -> bool:
    """Whether both say the same of the letter's looks, and these were good."""
    looks = [(app.template_folder, app.settings.issue.theme) for app in (old, fresh)]
    return looks[0] == looks[1] and "templates" in vars(old)


def _each(error: ConfigurationError) -> tuple[ConfigurationError, ...]:
    return error.errors if isinstance(error, InvalidFileError) else (error,)


def default_choice(app: App, day: date, email: str) -> Choice:
    """What the page shows before anything is chosen."""
    return Choice(day=day, email=email, theme=app.settings.issue.theme)
