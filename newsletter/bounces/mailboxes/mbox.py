"""An mbox file, and a single mail on a stream."""

import contextlib
import hashlib
import mailbox
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from typing_extensions import override

from newsletter.bounces.mailboxes.mailbox import MAX_BYTES, Mail, Mailbox, OpenMailbox
from newsletter.errors import UsageError


@dataclass
class Mbox(Mailbox, OpenMailbox):
    """An mbox file, which is never changed. A mail's key is a hash of its bytes."""

    path: Path
    _present: set[str] = field(default_factory=set)

    @property
    @override
    def name(self) -> str:
        return f"mbox:{self.path.absolute()}"

    @override
    @contextlib.contextmanager
    def open(self) -> Iterator["Mbox"]:
        yield self

    @override
    def mails(self, known: Collection[str] = (), again: Collection[str] = ()) -> Iterator[Mail]:
        try:
            with contextlib.closing(mailbox.mbox(self.path, create=False)) as box:
                contents = [box.get_bytes(key)[:MAX_BYTES] for key in box.iterkeys()]
        except (OSError, mailbox.Error) as error:
            raise UsageError(f"{self.path}: no mbox can be read there: {error}") from error
        if not contents and self.path.stat().st_size:
            raise UsageError(f"{self.path} is not an mbox: no line of it begins with 'From '")
        for number, content in enumerate(contents, 1):
            key = hashlib.blake2b(content, digest_size=16).hexdigest()
            self._present.add(key)
            if key not in known or key in again:
                yield Mail(f"{self.path.name}#{number}", content, key=key)

    @override
    def count_new(self, known: Collection[str]) -> int:
        return sum(1 for _ in self.mails(known))

    @override
    def look(self, keys: Collection[str]) -> Mapping[str, bool]:
        return {key: False for key in keys if key in self._present}


def stream_mails(stream: BinaryIO) -> Iterator[Mail]:
    """The one mail on a stream, as mail servers pipe it into a command; none if it is empty.

    All of it is taken, so that the mail server has nothing left that it could not write.
    """
    content = stream.read(MAX_BYTES)
    while stream.read(MAX_BYTES):
        pass
    if content:
        yield Mail("standard input", content)
