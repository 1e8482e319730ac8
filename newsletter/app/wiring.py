"""Wiring: the only place where ports meet adapters.

:class:`App` is a newsletter as its configuration describes it.
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter import sources, templates
from newsletter.app import readers_file
from newsletter.app.clock import SystemClock
from newsletter.app.files import (
    OWN_FOLDER,
    STATE_VARIABLE,
    made_state_folder,
    make_matcher,
    read_file,
    remedy,
    store_address,
)
from newsletter.app.guards import check_keys, check_store, open_journal, refuse_missing_file
from newsletter.app.keys import all_secrets
from newsletter.app.locks import FileRunLock
from newsletter.app.source_adapters import make_sources
from newsletter.config import OAuthSettings, Settings, read_settings
from newsletter.config.subscribers import read_subscribers
from newsletter.letter.links import Keyring
from newsletter.model import ListedReader, Reader, Subscriber
from newsletter.papers.topics import present_names
from newsletter.ports import Clock, Matcher, RunLock, Source, Transport
from newsletter.publisher.publisher import Publisher
from newsletter.readers.due import DefaultSchedule
from newsletter.readers.operating import OperatorService
from newsletter.readers.service import ReaderService
from newsletter.stores import Journaled, SendJournal, copy_store, open_journaled_store
from newsletter.transports import smtp
from newsletter.transports.smtp.relay import RelayFile
from newsletter.transports.smtp.settings import SmtpSettings, default_helo

if TYPE_CHECKING:
    from newsletter.app.oauth import AccessTokens
    from newsletter.bounces.processing import BounceProcessor
    from newsletter.letter.rendering import LetterTemplates
    from newsletter.sources import Client

# ruff: noqa: PLC0415 - a command imports only what it needs

RUNS = "runs"  # the folder of the locks, in the newsletter's own folder
RELAY_FILE = "relay.json"  # the limits of the SMTP server, in the newsletter's own folder


@dataclass(frozen=True)
class App:
    """A newsletter as its configuration describes it; its parts are made when first asked for.

    Attributes:
        path: the configuration file; relative paths in it are relative to its folder.
        settings: the content of that file.
        environment: the variables that ``${NAME}`` in the file is replaced from.
        clock: the only source of time.
    """

    path: Path
    settings: Settings
    environment: Mapping[str, str]
    clock: Clock

    @property
    def folder(self) -> Path:
        """The configuration's folder."""
        return self.path.parent

    @property
    def state_path(self) -> Path:
        """The folder for the newsletter's own files, which may not exist yet."""
        chosen = self.settings.state or self.environment.get(STATE_VARIABLE) or OWN_FOLDER
        return self.folder / chosen

    @cached_property
    def own_folder(self) -> Path:
        """The folder for the newsletter's own files; it is created if it does not exist.

        Raises:
            ConfigurationError: it cannot be written.
        """
        return made_state_folder(self.state_path, self.folder / OWN_FOLDER)

    # -- the store ---------------------------------------------------------------------------

    @cached_property
    def store(self) -> Journaled:
        """The store, opened and migrated.

        Raises:
            ConfigurationError: this newsletter was sent from another one, or with another secret.
        """
        refuse_missing_file(self.journal, self.path.name)
        store = self._open_store()
        with ExitStack() as on_error:
            on_error.callback(store.close)
            check_store(self.journal, store, self.path.name)
            vars(self)["keyring"] = check_keys(store, self.keyring, self.path.name)
            on_error.pop_all()
        return store

    def admit_store(self) -> None:
        """Open the store without the checks of :attr:`store`, for the commands that mend it."""
        vars(self)["store"] = self._open_store()

    def _open_store(self) -> Journaled:
        return open_journaled_store(store_address(self.settings.store, self.folder), self.journal)

    @cached_property
    def journal(self) -> SendJournal:
        """The record outside the store of what was sent; each store has a folder of its own."""
        return self.journal_of(self.settings.store)

    def journal_of(self, url: str) -> SendJournal:
        """The record of what was sent from the store at an address."""
        return open_journal(url, self.state_path, self.path, lambda: self.keyring)

    def copy_store(self, file: Path) -> None:
        """Copy the store as it is now into a file."""
        copy_store(store_address(self.settings.store, self.folder), file)

    @property
    def restore_warning(self) -> str:
        """What the operator should know before sending if the journal is lost; else empty."""
        if not self.store.has_lost_its_journal():
            return ""
        return (
            f"{self.journal.folder} has no record of what was sent so far. If this store was "
            "restored from a backup, stop and run `newsletter store restored` first"
        )

    # -- readers -----------------------------------------------------------------------------

    @property
    def subscribers_file(self) -> Path:
        """The file in which the operator lists readers."""
        return self.folder / self.settings.subscribers

    @cached_property
    def listed_readers(self) -> tuple[ListedReader, ...]:
        """The readers in the operator's file, as it was when first asked for.

        Raises:
            ConfigurationError: the file does not exist or is wrong.
        """
        content = readers_file.read_bytes(self.subscribers_file, self.path.name)
        return self._read_subscribers(content)

    @property
    def listed_subscribers(self) -> tuple[Subscriber, ...]:
        """The subscribers in the operator's file, without those who left; see above."""
        return readers_file.subscribed(self.listed_readers)

    def _read_subscribers(self, content: bytes) -> tuple[ListedReader, ...]:
        name = self.subscribers_file.name
        return read_subscribers(content, name, self.known_topics, self.environment)

    def sync_readers(self, *, again: bool = False) -> None:
        """Read the operator's file and bring the store's readers up to date.

        A large file that the store has taken in as it is now is read only ``again`` if asked to.

        Raises:
            ConfigurationError: the file is wrong; the readers stay as they were.
        """
        content = readers_file.read_bytes(self.subscribers_file, self.path.name)
        topics = self.known_topics
        file = Path(self.journal.file or self.path)  # another kind of store is always there
        if again or not file.exists() or not readers_file.is_taken_in(self.store, content, topics):
            listed = self._read_subscribers(content)  # a wrong file leaves no new store behind
            readers_file.sync_readers(self.store, listed, self.keyring, self.clock.now())
            readers_file.record_taken_in(self.store, content, topics)

    def readers(self) -> tuple[Reader, ...]:
        """Every reader, after the store was brought up to date from the operator's file."""
        self.sync_readers()
        return self.store.readers()

    @cached_property
    def reader_service(self) -> ReaderService:
        """The service through which readers join, choose and leave."""
        own, joining = self.settings.publication, self.settings.joining.rules
        return ReaderService(own, self.store, self.keyring, joining, self.default_schedule)

    def operator_service(self, who: str) -> OperatorService:
        """The service through which an operator manages readers, under this name."""
        return OperatorService(self.reader_service, self.store, self.default_schedule, who)

    @property
    def default_schedule(self) -> DefaultSchedule:
        """When readers who chose nothing else get their letter."""
        schedule = self.settings.schedule
        return DefaultSchedule(schedule.at, self.settings.timezone, schedule.days)

    @property
    def known_topics(self) -> Mapping[str, str]:
        """For each name of a topic, present or former, the present one."""
        return present_names(settings.topic for settings in self.settings.topics)

    # -- issues and letters --------------------------------------------------------------------

    @cached_property
    def publisher(self) -> Publisher:
        """The publisher, after the store was brought up to date from the operator's file."""
        _ = self.templates  # an error in them is reported before a store is created
        self.sync_readers()
        return self.unsynced_publisher

    @cached_property
    def unsynced_publisher(self) -> Publisher:
        """The publisher; the store's readers are left as they are."""
        store = self.store  # before the keyring: it knows which addresses were used before
        return Publisher(
            publication=self.settings.publication,
            topics=tuple(settings.topic for settings in self.settings.topics),
            cadence=self.settings.schedule.days,
            max_items=self.settings.issue.max_items,
            when_empty=self.settings.issue.when_empty,
            keyring=self.keyring,
            templates=lambda: self.templates,
            sources=self.sources,
            store=store,
            matcher=self.matcher,
            clock=self.clock,
            in_doubt=self.settings.issue.in_doubt,
            canary=self.settings.issue.first_readers,
        )

    @cached_property
    def matcher(self) -> Matcher:
        """What finds papers for filters and topics; it loads the vector table when it needs it."""
        return make_matcher(self.settings.matching)

    def themed_publisher(self, theme: str) -> Publisher:
        """:attr:`unsynced_publisher` with the letter's templates of another theme.

        Raises:
            TemplateError: the theme does not exist, or it cannot be compiled.
        """
        if theme == self.settings.issue.theme:
            return self.unsynced_publisher
        other = templates.load_templates(self.template_folder, theme)
        return replace(self.unsynced_publisher, templates=lambda: other)

    @cached_property
    def templates(self) -> "LetterTemplates":
        """The letter's templates, compiled; the operator's own are test-rendered."""
        return templates.load_templates(self.template_folder, self.settings.issue.theme)

    @cached_property
    def notes(self) -> Mapping[str, "LetterTemplates"]:
        """The notes' templates, compiled, by kind."""
        return templates.load_notes(self.template_folder, self.settings.issue.theme)

    @property
    def template_folder(self) -> Path | None:
        """The folder of the operator's own templates; None if there is none."""
        folder = self.settings.templates
        return None if folder is None else self.folder / folder

    @property
    def sources(self) -> tuple[Source, ...]:
        """The configured sources."""
        return make_sources(self.settings, self.folder, self.client)

    def sources_replayed(self, day: date) -> tuple[Source, ...]:
        """The configured sources, which give the answers that were kept on a day (UTC)."""
        return make_sources(self.settings, self.folder, self.client.replaying(day))

    @property
    def contact(self) -> str:
        """The address that the servers of sources see."""
        return self.settings.operator or self.settings.publication.sender_email

    @cached_property
    def client(self) -> "Client":
        """The HTTP client of all sources: it remembers what each host has asked for."""
        for old in self.own_folder.glob("http.db*"):  # the cache of earlier versions
            with suppress(OSError):
                old.unlink()
        return sources.Client(
            contact=self.contact,
            clock=self.clock,
            kept=self.own_folder / "answers.db",
            proxy=self.settings.proxy,
        )

    @cached_property
    def keyring(self) -> Keyring:
        """The keys that sign links: those configured, and those kept in the own folder.

        They are bound to the sender's address, so that two newsletters may share a secret.
        """
        configured = tuple(secret.get_secret_value() for secret in self.settings.secret)
        folder = self.state_path if configured else self.own_folder
        return Keyring(all_secrets(folder, configured), self.settings.publication.sender_email)

    # -- sending and receiving -----------------------------------------------------------------

    def run_lock(self, command: str) -> AbstractContextManager[RunLock]:
        """The lock of a new run of a command, held until the block ends."""
        return FileRunLock(self.own_folder / RUNS, secrets.token_hex(8), command).holding()

    def transport(self) -> Transport:
        """The transport that letters leave by: the configured SMTP server."""
        return smtp.SmtpTransport(self.smtp_settings, self.clock, self.own_folder / RELAY_FILE)

    @property
    def relay_notice(self) -> str:
        """That the SMTP server takes no letters for now, because its limit is reached; or empty."""
        file, address = RelayFile(self.own_folder / RELAY_FILE), self.smtp_settings.address
        return file.load(address, self.clock.now()).notice(address, self.clock.now())

    @property
    def smtp_settings(self) -> SmtpSettings:
        """The settings of the SMTP server, with the path of ``ca_file`` made absolute."""
        smtp = dict(self.settings.smtp)
        if smtp["ca_file"] is not None:  # an empty path is an error, not the system's file
            smtp["ca_file"] = str(self.folder / smtp["ca_file"])
        smtp["helo"] = smtp["helo"] or default_helo(self.settings.publication.domain)
        if smtp["oauth"] is not None:
            smtp["access_token"] = self.access_tokens(smtp["oauth"], "smtp.oauth").get
        return SmtpSettings(**smtp)

    def access_tokens(self, settings: OAuthSettings, setting: str) -> "AccessTokens":
        """The access tokens for a login by XOAUTH2 (SMTP, IMAP); those of the same settings once.

        ``setting`` is the place of the settings, as error messages name it.
        """
        from newsletter.app.oauth import AccessTokens

        made = self._access_tokens.get(settings)
        if made is None:
            made = AccessTokens(settings, setting, self.clock, self.own_folder, self.settings.proxy)
            self._access_tokens[settings] = made
        return made

    @cached_property
    def _access_tokens(self) -> dict[OAuthSettings, "AccessTokens"]:
        return {}

    def bounce_processor(self) -> "BounceProcessor":
        """The processor of bounces, complaints and unsubscribes that arrive by email."""
        from newsletter.bounces.processing import BounceProcessor

        return BounceProcessor(self.store, self.settings.publication, self.keyring)

    def reloaded(self) -> "App":
        """The newsletter as its configuration is now, with the store that is open already.

        Raises:
            ConfigurationError: the configuration is wrong.
        """
        return self.with_settings(_read_settings(self.path, self.environment))

    def with_settings(self, settings: Settings) -> "App":
        """The newsletter with other settings, and with the store that is open already.

        Raises:
            ConfigurationError: a secret is missing.
        """
        app = replace(self, settings=settings)
        vars(app)["store"] = self.store
        vars(app)["keyring"] = check_keys(self.store, app.keyring, self.path.name)
        if (settings.proxy, app.contact) == (self.settings.proxy, self.contact):
            vars(app)["client"] = self.client  # it remembers what each host has asked for
        return app


@contextmanager
def open_app(path: Path) -> Iterator[App]:
    """The newsletter that a configuration file describes; its store is closed at the end.

    Raises:
        ConfigurationError: the file does not exist, cannot be read, or is wrong.
    """
    environment = dict(os.environ)
    settings = _read_settings(path, environment)
    app = App(path.absolute(), settings, environment, SystemClock())
    try:
        yield app
    finally:
        if "store" in vars(app):  # it was opened
            app.store.close()


def _read_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    content = read_file(path, remedy(path, "write it, or name another with --config"))
    return read_settings(content, path.name, environment)
