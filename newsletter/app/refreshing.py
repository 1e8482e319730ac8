"""What a running newsletter takes in at each tick: the readers' file, and returned mail."""

import logging
import threading

from newsletter.app.mailboxes import mailboxes_of
from newsletter.app.wiring import App
from newsletter.bounces.mailboxes import Mailbox
from newsletter.bounces.processing import result_line
from newsletter.bounces.reading import read_mailbox
from newsletter.errors import Isolated, MailboxError, MailboxLoginError, StoreError, UsageError

_log = logging.getLogger(__name__)


class SubscribersFileRefresh:
    """Reads the operator's file of readers again when it has changed; reports a mistake once."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._last = self._stamp()

    def __call__(self) -> None:
        """Read the file if it has changed since the last call.

        Raises:
            ConfigurationError: the file is wrong; the readers stay as they were.
            StoreError: the store cannot be read or written; the next call tries again.
        """
        before, self._last = self._last, self._stamp()
        if self._last == before:
            return
        try:
            self._app.sync_readers()
        except StoreError:
            self._last = before
            raise

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._app.subscribers_file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


class BouncesRefresh:
    """Takes in bounces that arrived by email, if mailboxes are configured.

    A mail that needs a person, or a mailbox that cannot be read, is reported once. After a refused
    login a mailbox is not tried again: repeated, it may lock the account.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._failures: dict[str, str] = {}
        self._refused: set[str] = set()
        self.stopping = threading.Event()

    def __call__(self) -> None:
        """Take in what has come since the last call.

        Raises:
            StoreError: the store cannot be read or written; the mails stay where they are.
        """
        for mailbox in mailboxes_of(self._app):
            if mailbox.name not in self._refused and not self.stopping.is_set():
                with Isolated(f"mailbox {mailbox.name}"):
                    self._read(mailbox)

    def _read(self, mailbox: Mailbox) -> None:
        app, failure = self._app, ""
        try:
            for result in read_mailbox(mailbox, app.bounce_processor(), app.store, app.clock.now()):
                _log.info("by mail: %s", result_line(result))
                if self.stopping.is_set():
                    return
        except MailboxLoginError as error:
            self._refused.add(mailbox.name)
            failure = f"{error}; it is not tried again before the next start"
        except (UsageError, MailboxError) as error:
            failure = str(error)
        if failure and failure != self._failures.get(mailbox.name):
            _log.warning("%s", failure)
        self._failures[mailbox.name] = failure
