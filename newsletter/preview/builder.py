"""Builds the letters that the page shows, from files that somebody is editing."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from newsletter.app.wiring import App
from newsletter.config import IssueSettings
from newsletter.config.subscribers import mailbox_key
from newsletter.errors import ConfigurationError, InvalidFileError, NewsletterError, TemplateError
from newsletter.model import Reader, Verdict
from newsletter.preview.letter import Choice, ParsedLetter, Scheme, parse_letter
from newsletter.preview.others import SHORT_EMAILS, WebPages, build_short_email, stored_reader
from newsletter.publisher.drafting import sample_reader
from newsletter.publisher.previewing import (
    PreviewedLetter,
    explain_as_new,
    explain_issue,
    preview,
    preview_as_new,
)
from newsletter.publisher.publisher import Publisher
from newsletter.templates import find_template_errors

THEMES: tuple[str, ...] = get_args(IssueSettings.model_fields["theme"].annotation)

PAGES = "web"  # the folder of templates that no letter is built from

DAYS_OFFERED = 31  # how many days before the chosen one are offered if they have papers


@dataclass(frozen=True, slots=True)
class BuiltLetter:
    """A letter's bytes as they would be sent, and parsed; no file changes a frozen one any more."""

    content: bytes
    letter: ParsedLetter
    frozen: bool


class PreviewBuilder:
    """Builds letters; while a file has errors, from the last good state of all files (``app``)."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.errors: tuple[ConfigurationError, ...] = ()
        self._publishers: dict[str, Publisher] = {}
        self._letters: dict[tuple[object, ...], BuiltLetter] = {}
        self._web: dict[Scheme, WebPages] = {}
        self._use(self.app)

    def reload(self, saved: AbstractSet[Path]) -> None:
        """Read the files that were saved; after an error the last good state stays.

        What does not depend on them is taken over, because the person who saved is waiting.
        """
        old, had_errors = self.app, bool(self.errors)
        settings, readers = old.path in saved, old.subscribers_file in saved
        try:
            fresh = old.reloaded() if settings or had_errors else replace(old)
        except ConfigurationError as error:
            self.errors = _flatten(error)
            return
        # Both are cached properties: a value put in beforehand is not computed again.
        vars(fresh)["store"] = old.store
        others = {path for path in saved if path.parent.name == PAGES}
        no_template_saved = saved - others <= {old.path, old.subscribers_file}
        if no_template_saved and not had_errors and _same_templates(old, fresh):
            vars(fresh)["templates"] = old.templates
        self._use(fresh, sync_readers=settings or readers or had_errors)

    def _use(self, app: App, *, sync_readers: bool = True) -> None:
        try:
            publisher = app.publisher if sync_readers else app.unsynced_publisher
            publisher.templates()  # compiled now, so that a wrong one leaves the last good letter
        except TemplateError as error:
            self.errors = find_template_errors(app.template_folder) or (error,)
        except ConfigurationError as error:
            self.errors = _flatten(error)
        else:
            self.app, self.errors = app, ()
            self._publishers = {app.settings.issue.theme: publisher}
            self._letters = {}
            for pages in self._web.values():
                pages.close()
            self._web = {}

    def build(self, choice: Choice) -> BuiltLetter:
        """Build the chosen letter now.

        Raises:
            NewsletterError: it cannot be built; the message says why.
        """
        publisher, reader = self._chosen(choice)
        if choice.page in SHORT_EMAILS:
            content, frozen = build_short_email(self.app, choice.page, choice.theme, reader), False
        else:
            content = b"".join(self.build_for(choice).envelope.content)
            frozen = not _is_from_scratch(publisher, choice) and (
                publisher.store.edition(choice.day, reader.subscriber.email) is not None
            )
        built = BuiltLetter(content, parse_letter(content), frozen)
        self._letters[choice.letter] = built
        return built

    def web_pages(self, scheme: Scheme) -> WebPages:
        """The readers' pages, as the files are now.

        Raises:
            NewsletterError: the files have errors.
        """
        if scheme not in self._web:
            self._web[scheme] = WebPages(self.app, scheme)
        return self._web[scheme]

    def web_path(self, choice: Choice) -> str:
        """Where the chosen one of the readers' pages is.

        Raises:
            NewsletterError: there is none.
        """
        reader = stored_reader(self.app, choice.email)
        return self.web_pages(choice.scheme).path(choice.page, choice, reader)

    def get(self, choice: Choice) -> BuiltLetter:
        """The chosen letter as it was last built, or built now."""
        return self._letters.get(choice.letter) or self.build(choice)

    def build_for(self, choice: Choice, to: str | None = None) -> PreviewedLetter:
        """The chosen letter, made out to another address if ``to`` is given.

        The links of a letter to another address change nothing.
        """
        publisher, reader = self._chosen(choice)
        if _is_from_scratch(publisher, choice):
            return preview_as_new(publisher, choice.day, reader, to)
        (letter,) = preview(publisher, choice.day, [reader], to)
        return letter

    def verdicts(self, choice: Choice) -> tuple[Verdict, ...]:
        """For every paper of the day, why it is in the chosen letter or is not."""
        publisher, reader = self._chosen(choice)
        if _is_from_scratch(publisher, choice):
            return explain_as_new(publisher, choice.day, reader)
        return tuple(explain_issue(publisher, choice.day, [reader]))

    def template_errors(self) -> tuple[ConfigurationError, ...]:
        """What ``newsletter templates check`` finds; the notes' templates are included."""
        try:
            return find_template_errors(self.app.template_folder)
        except TemplateError as error:
            return (error,)

    def list_readers(self) -> list[str]:
        """The addresses whose letters can be shown."""
        readers = self.app.store.readers()
        return sorted(one.subscriber.email for one in readers if one.is_served)

    def list_days(self, chosen: date) -> list[date]:
        """The days that have papers or an issue, newest first, and the chosen one."""
        store = self.app.store
        before = (chosen - timedelta(days=n) for n in range(1, DAYS_OFFERED))
        with_papers = (day for day in before if store.papers_listed(day))
        return sorted({chosen, *store.issue_days(), *with_papers}, reverse=True)

    def publisher(self, theme: str) -> Publisher:
        """The publisher whose letters have this theme.

        Raises:
            NewsletterError: the files have had errors from the start, or the theme has.
        """
        if not self._publishers:
            raise NewsletterError("nothing to show yet: correct the files first")
        if theme not in self._publishers:
            self._publishers[theme] = self.app.themed_publisher(theme)
        return self._publishers[theme]

    def _chosen(self, choice: Choice) -> tuple[Publisher, Reader]:
        publisher = self.publisher(choice.theme)
        if not choice.email:
            return publisher, sample_reader(publisher)
        for reader in publisher.store.readers():
            if mailbox_key(reader.subscriber.email) == mailbox_key(choice.email):
                return publisher, reader
        raise NewsletterError(f"there is no reader {choice.email}; choose another")


def _is_from_scratch(publisher: Publisher, choice: Choice) -> bool:
    """Whether nothing counts as sent before.

    That is so by choice, and on a frozen day for the reader who wants everything: nobody has a
    frozen letter like that.
    """
    return choice.all_papers or (not choice.email and bool(publisher.store.waves(choice.day)))


def _same_templates(old: App, fresh: App) -> bool:
    """Whether both use the same templates, and the old ones were compiled without errors."""
    used = [(app.template_folder, app.settings.issue.theme) for app in (old, fresh)]
    return used[0] == used[1] and "templates" in vars(old)


def _flatten(error: ConfigurationError) -> tuple[ConfigurationError, ...]:
    return error.errors if isinstance(error, InvalidFileError) else (error,)
