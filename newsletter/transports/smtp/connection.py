"""A connection once it is open: bytes out, replies in, with a limit to every wait.

aiosmtplib has connected, secured and authenticated by then; from there on its protocol is replaced
by this one, which takes any number of replies ahead of their being asked for (RFC 2920).
"""

import asyncio
import re
from collections import deque
from functools import lru_cache

from newsletter.transports.smtp.replies import reply_text

_LINE = re.compile(rb"([2-5]\d\d)([ -]?)([^\r\n]*)")
_LONGEST = 65_536
"""Bytes of replies a server may send without ending one."""

Reply = tuple[int, str]
"""A reply's code and its words, those of several lines joined (RFC 5321 4.2.1)."""


@lru_cache(maxsize=64)
def _understood(line: bytes) -> tuple[int, str, bool] | None:
    """A line of a reply: its code, its words, whether it is the last; None where it is none.

    Servers say much the same all day.
    """
    found = _LINE.match(line)
    if found is None:
        return None
    return int(found[1]), found[3].decode("utf-8", "replace").strip(), found[2] != b"-"


class Connection(asyncio.Protocol):
    """Reads replies off a transport, and writes to it.

    Args:
        transport: an open one; this becomes its protocol.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._error: OSError | None = None
        self._awaited: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._room = asyncio.Event()
        self._room.set()
        # "Drained" is to mean that every byte is with the kernel. The mark is not 0: with nothing
        # left to write a TLS transport would then pause at each call, and nobody would resume it.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def alive(self) -> bool:
        """Whether more may be said over it."""
        return self._error is None and not self._transport.is_closing()

    def write(self, *pieces: bytes) -> None:
        """Put bytes on the wire, as one.

        Raises:
            OSError: the connection is gone.
        """
        if not self.alive:
            raise self._error or ConnectionResetError("the connection was lost")
        # Joined: from Python 3.12 on writelines() passes by the flow control of drained().
        self._transport.write(b"".join(pieces))

    async def drained(self, timeout: float) -> None:  # noqa: ASYNC109 - the same for every wait
        """Wait until all that was written has left this process.

        Raises:
            OSError: the connection is gone, or it takes longer than ``timeout`` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._room.wait()
        except TimeoutError:
            raise TimeoutError("Timed out while the server took the letter") from None
        if not self.alive:
            raise self._error or ConnectionResetError("the connection was lost")

    async def reply(self, timeout: float) -> Reply:  # noqa: ASYNC109 - as above
        """The next reply.

        Raises:
            OSError: the connection is gone, the server speaks no SMTP, or it says nothing for
                ``timeout`` seconds.
        """
        if not self._replies:
            await self._arrival(timeout)
        return self._replies.popleft()

    async def _arrival(self, timeout: float) -> None:  # noqa: ASYNC109 - as above
        if self._error is not None:
            raise self._error
        self._awaited = self._loop.create_future()
        self._deadline = self._loop.time() + timeout
        if self._alarm is None or self._alarm.when() > self._deadline:
            self._set_alarm()
        try:
            await self._awaited
        finally:
            self._awaited = None

    def _set_alarm(self) -> None:
        """Have the deadline looked after: one alarm serves wait after wait that ends in time."""
        self._quiet()
        self._alarm = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        """Give up where the server is waited for and late; else see to what is waited for next."""
        self._alarm = None
        if self._awaited is None:
            return
        if self._loop.time() >= self._deadline:
            self._fail(TimeoutError("Timed out waiting for the server's answer"))
        else:
            self._set_alarm()

    def _quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def drop(self) -> None:
        """Cut the line at once; what is not on the wire yet never will be."""
        self._transport.abort()

    def close(self) -> None:
        """Let what is written leave, and close."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what the server says, however it is cut into packets."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._read(line)
        if len(self._unread) + len(self._lines) * 512 > _LONGEST:
            self._fail(ConnectionAbortedError("the server's reply has no end"))
        if self._replies:
            self._wake()

    def _read(self, line: bytes) -> None:
        understood = _understood(line)
        if understood is None:
            said = reply_text(0, line.decode("utf-8", "replace")).removeprefix("0 ")
            self._fail(ConnectionAbortedError(f"the server speaks no SMTP: {said!r}"))
            return
        code, words, is_last = understood
        self._lines.append(words)
        if is_last:
            self._replies.append((code, " ".join(self._lines)))
            self._lines = []

    def eof_received(self) -> None:
        """The server will say nothing more."""
        self._fail(ConnectionResetError("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more can be said or heard."""
        words = str(exc or "") or "the connection was lost"
        self._fail(ConnectionResetError(words))
        self._room.set()
        self._quiet()

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._room.clear()

    def resume_writing(self) -> None:
        """All is with the kernel."""
        self._room.set()

    def _fail(self, error: OSError) -> None:
        self._error = self._error or error
        self._wake(self._error)

    def _wake(self, error: OSError | None = None) -> None:
        if self._awaited is not None and not self._awaited.done():
            if error is None or self._replies:
                self._awaited.set_result(None)
            else:
                self._awaited.set_exception(error)
