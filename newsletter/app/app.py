"""The house: a newsletter as its configuration describes it."""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlsplit

from newsletter.app.clock import SystemClock
from newsletter.app.files import placed, read, remedy
from newsletter.app.locks import FileRunLock
from newsletter.app.relay import smtp_settings
from newsletter.app.secret import kept_secret
from newsletter.app.sources import sources
from newsletter.app.subscribers import sync
from newsletter.bounces import BounceProcessor, Maildir
from newsletter.config import Settings, read_settings
from newsletter.config.subscribers import read_subscribers
from newsletter.letter.links import Keyring, keyed_hash
from newsletter.letter.rendering import NOTES, LetterTemplates
from newsletter.model import Reader, Subscriber
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import Clock, RunLock, Source, Store, Transport
from newsletter.publisher.publisher import Publisher, keyring
from newsletter.readers.due import DefaultSchedule
from newsletter.readers.service import ReaderService
from newsletter.sources import Client
from newsletter.stores import Journaled, SendJournal, copy_store, open_store
from newsletter.templates import load_note_templates, load_templates
from newsletter.transports.folder import FolderTransport
from newsletter.transports.smtp import SmtpTransport, check_connection

OWN_FOLDER = ".newsletter"
"""Beside the configuration: what the newsletter keeps for itself."""


@dataclass(frozen=True)
class App:
    """A newsletter as its configuration describes it; its parts are made when first asked for.

    Attributes:
        path: the configuration file; what is relative in it is relative to its folder.
        settings: what it says.
        environment: what ``${NAME}`` stood for in it.
    """

    path: Path
    settings: Settings
    environment: Mapping[str, str]
    clock: Clock

    @property
    def folder(self) -> Path:
        """The folder the configuration stands in."""
        return self.path.parent

    @property
    def own_folder(self) -> Path:
        """The folder the newsletter keeps for itself, made where there is none."""
        folder = self.folder / OWN_FOLDER
        folder.mkdir(exist_ok=True)
        return folder

    @cached_property
    def store(self) -> Store:
        """The store, opened and brought up to date."""
        return open_store(placed(self.settings.store, self.folder), self.journal)

    @cached_property
    def journal(self) -> SendJournal:
        """Where what leaves is written down a second time, outside the store: a folder for each."""
        parts = urlsplit(self.settings.store)  # without the password, which may change
        place = f"{parts.hostname}:{parts.port}{parts.path}"
        named = blake2b(place.encode(), digest_size=6).hexdigest()
        return SendJournal(self.folder / OWN_FOLDER / "witness" / named, self._names)

    def _names(self, email: str) -> tuple[str, ...]:
        """The names an address has in the witness, under each key; the newest first."""
        keys = self.reader_service.keys
        rings = (Keyring((secret,), keys.audience) for secret in keys.secrets)
        return tuple(keyed_hash(f"witness:{email.lower()}", ring)[:32] for ring in rings)

    def copy_store(self, file: Path) -> None:
        """Copy the store into a file as it is at this instant."""
        copy_store(placed(self.settings.store, self.folder), file)

    @property
    def doubt(self) -> str:
        """What the operator should be told before anything is sent; mostly nothing."""
        store = self.store
        if not isinstance(store, Journaled) or not store.has_lost_its_journal():
            return ""
        return (
            f"nothing in {self.journal.folder} says what has left so far; if this store was "
            "restored from a backup, stop and say `newsletter store restored` first"
        )

    @cached_property
    def listed_subscribers(self) -> tuple[Subscriber, ...]:
        """The readers of the operator's file; nobody where there is no file."""
        return self._read_roster()

    def _read_roster(self) -> tuple[Subscriber, ...]:
        path = self.subscribers_file
        otherwise = (
            f"write it (`subscribers: []` lists nobody), or mend `subscribers:` in {self.path.name}"
        )
        found = read(path, remedy(path, otherwise))
        return read_subscribers(found, path.name, self.topic_names, self.environment)

    @property
    def subscribers_file(self) -> Path:
        """Where the operator writes who reads."""
        return self.folder / self.settings.subscribers

    def renewed(self) -> "App":
        """The newsletter as its files say now, over the store that is open.

        Raises:
            ConfigurationError: the configuration is wrong.
        """
        settings = _settings(self.path, self.environment)
        app = replace(self, settings=settings)
        vars(app)["store"] = self.store
        return app

    def themed(self, theme: str) -> Publisher:
        """The publisher's desk with the letter set in another theme.

        Raises:
            TemplateError: there is no such theme, or it cannot be compiled.
        """
        if theme == self.settings.issue.theme:
            return self.preview_publisher
        return replace(
            self.preview_publisher, templates=load_templates(self.template_folder, theme)
        )

    def sync_subscribers_file(self) -> None:
        """Bring the store up to date from the readers' file as it is now.

        Raises:
            ConfigurationError: the file is wrong; the readers stay as they were.
        """
        self._sync(self._read_roster())

    def _sync(self, listed_subscribers: Sequence[Subscriber]) -> None:
        sync(self.store, listed_subscribers, self.reader_service.keys, self.clock.now())

    @property
    def default_schedule(self) -> DefaultSchedule:
        """When readers who chose nothing get their letter."""
        schedule = self.settings.schedule
        return DefaultSchedule(schedule.at, self.settings.timezone, schedule.days)

    @property
    def topic_names(self) -> list[str]:
        """The topics a reader may follow."""
        return [topic.name for topic in self.settings.topics]

    def readers(self) -> tuple[Reader, ...]:
        """Every reader, the store brought up to date from the file."""
        self._sync(self.listed_subscribers)
        return self.store.readers()

    @cached_property
    def templates(self) -> LetterTemplates:
        """The letter's templates, compiled and tried out."""
        return load_templates(self.template_folder, self.settings.issue.theme)

    @cached_property
    def notes(self) -> Mapping[str, LetterTemplates]:
        """The templates of notes, compiled, by their kind."""
        theme = self.settings.issue.theme
        return {kind: load_note_templates(kind, self.template_folder, theme) for kind in NOTES}

    @property
    def template_folder(self) -> Path | None:
        """The operator's own templates, where there are any."""
        folder = self.settings.templates
        return None if folder is None else self.folder / folder

    @cached_property
    def reader_service(self) -> ReaderService:
        """Where readers are received."""
        publication = self.settings.publication
        return ReaderService(
            publication, self.store, Keyring(self._keys(), publication.sender_email)
        )

    @cached_property
    def publisher(self) -> Publisher:
        """The publisher's desk, with the store's readers brought up to date from the file."""
        _ = self.templates  # as in readers(): before there is a store
        self._sync(self.listed_subscribers)
        return self.preview_publisher

    @cached_property
    def preview_publisher(self) -> Publisher:
        """The publisher's desk, the store's readers left as they are."""
        return Publisher(
            publication=self.settings.publication,
            topics=tuple(settings.topic for settings in self.settings.topics),
            cadence=self.settings.schedule.days,
            max_items=self.settings.issue.max_items,
            when_empty=self.settings.issue.when_empty,
            keys=self._keys(),
            templates=self.templates,
            sources=self.sources,
            store=self.store,
            matcher=RulesMatcher(),
            clock=self.clock,
            in_doubt=self.settings.issue.in_doubt,
        )

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where papers are read."""
        return sources(self.settings, self.folder, self._client())

    def run_lock(self) -> AbstractContextManager[RunLock]:
        """This run, holding its lock until the block ends."""
        return FileRunLock(self.own_folder / "runs", secrets.token_hex(8)).holding()

    def smtp(self) -> SmtpTransport:
        """The transport that sends letters to the configured SMTP server."""
        return SmtpTransport(smtp_settings(self.settings.smtp, self.folder), self.clock)

    async def try_smtp(self, timeout: float) -> None:  # noqa: ASYNC109 - of each answer
        """Connect to the SMTP server, secure the line, log in, and go; no letter is sent.

        Raises:
            TransportError: it cannot be reached, be trusted, or does not let us in.
        """
        settings = smtp_settings(self.settings.smtp, self.folder)
        await check_connection(replace(settings, timeout=timeout))

    def to_folder(self, folder: Path) -> Transport:
        """A door that leads into a folder."""
        return FolderTransport(folder)

    @property
    def maildir(self) -> Maildir | None:
        """Where what comes back by mail is read; None where the settings name no place."""
        bounces = self.settings.bounces
        if bounces is None or bounces.maildir is None:
            return None
        return Maildir(self.folder / bounces.maildir)

    def bounce_processor(self) -> BounceProcessor:
        """Who takes in what comes back by mail."""
        publication = self.settings.publication
        return BounceProcessor(self.store, publication, keyring(self._keys(), publication))

    def _keys(self) -> tuple[str, ...]:
        """What signs links: the configured secrets, or one drawn once and kept beside them."""
        if self.settings.secret:
            return tuple(secret.get_secret_value() for secret in self.settings.secret)
        return (kept_secret(self.own_folder),)

    def _client(self) -> Client:
        contact = self.settings.operator or self.settings.publication.sender_email
        return Client(contact=contact, cache=self.own_folder / "http.db", clock=self.clock)


@contextmanager
def open_app(path: Path) -> Iterator[App]:
    """The newsletter a configuration file describes, closed at the end of the block.

    Raises:
        ConfigurationError: the file is not there, cannot be read, or is wrong.
    """
    environment = dict(os.environ)
    settings = _settings(path, environment)
    app = App(path.absolute(), settings, environment, SystemClock())
    try:
        yield app
    finally:
        if "store" in vars(app):
            app.store.close()


def _settings(path: Path, environment: Mapping[str, str]) -> Settings:
    source = read(path, remedy(path, "write it, or name another with --config"))
    return read_settings(source, path.name, environment)
