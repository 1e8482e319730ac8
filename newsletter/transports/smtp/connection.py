"""An open connection: bytes out, replies in, with a limit to every wait.

aiosmtplib connects, secures and authenticates. Then this protocol replaces aiosmtplib's, which
cannot take several replies before they are asked for, as pipelining needs (RFC 2920).
"""

import asyncio
import re
from collections import deque
from functools import lru_cache

from newsletter.transports.smtp.replies import reply_text

_LINE = re.compile(rb"([2-5]\d\d)([ -]?)([^\r\n]*)")
_MAX_REPLY_BYTES = 65_536  # what a server may send without ending a reply

Reply = tuple[int, str]
"""A reply's code and its words; several lines are joined (RFC 5321 4.2.1)."""


@lru_cache(maxsize=64)
def _parse_line(line: bytes) -> tuple[Reply, bool] | None:
    """A line's code and words, and whether it ends the reply; None for a line of no reply.

    Cached, because servers say the same few lines all day.
    """
    found = _LINE.match(line)
    if found is None:
        return None
    return (int(found[1]), found[3].decode("utf-8", "replace").strip()), found[2] != b"-"


class Connection(asyncio.Protocol):
    """Reads replies from an open transport, whose protocol it becomes, and writes to it.

    Attributes:
        replies: those that have arrived and were not read yet.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._unread = b""
        self._lines: list[str] = []
        self.replies: deque[Reply] = deque()
        self._error: OSError | None = None
        self._reply_arrived: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._written = asyncio.Event()
        self._written.set()
        # drain() waits until the kernel has every byte. The high mark is not 0, because a TLS
        # transport with nothing left to write would pause at each call, and never resume.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def alive(self) -> bool:
        """Whether more can be sent over it."""
        return self._error is None and not self._transport.is_closing()

    def write(self, *pieces: bytes) -> None:
        """Write these bytes at once.

        Raises:
            OSError: the connection is lost.
        """
        self._check_alive()
        # Joined, because from Python 3.12 on writelines() bypasses the flow control of drain().
        self._transport.write(b"".join(pieces))

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - the same for every wait
        """Wait until all that was written has left this process.

        Raises:
            OSError: the connection is lost, or it takes longer than ``timeout`` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._written.wait()
        except TimeoutError:
            raise TimeoutError("Timed out while the server took the email") from None
        self._check_alive()

    def _check_alive(self) -> None:
        if not self.alive:
            raise self._error or ConnectionResetError("the connection was lost")

    async def read_reply(self, timeout: float) -> Reply:  # noqa: ASYNC109 - as above
        """Read the next reply.

        Raises:
            OSError: the connection is lost, the server does not speak SMTP, or it says nothing
                for ``timeout`` seconds.
        """
        if not self.replies:
            await self._wait_for_reply(timeout)
        return self.replies.popleft()

    async def _wait_for_reply(self, timeout: float) -> None:  # noqa: ASYNC109 - as above
        if self._error is not None:
            raise self._error
        self._reply_arrived = self._loop.create_future()
        self._deadline = self._loop.time() + timeout
        if self._timer is None or self._timer.when() > self._deadline:
            self._start_timer()
        try:
            await self._reply_arrived
        finally:
            self._reply_arrived = None

    def _start_timer(self) -> None:
        """Start a timer for the deadline. It stays for later waits: most replies come in time."""
        self._cancel_timer()
        self._timer = self._loop.call_at(self._deadline, self._on_timer)

    def _on_timer(self) -> None:
        """Fail if a reply is overdue; otherwise wait for the deadline of the current wait."""
        self._timer = None
        if self._reply_arrived is None:
            return
        if self._loop.time() >= self._deadline:
            self._fail(TimeoutError("Timed out waiting for the server's answer"))
        else:
            self._start_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        """Close the connection at once; what is not on the wire yet will not be sent."""
        self._transport.abort()

    def close(self) -> None:
        """Close the connection after what was written has left."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what the server sends, however it is cut into packets."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            parsed = _parse_line(line)
            if parsed is None:
                self._fail_for(line)
                continue
            reply, is_last = parsed
            if is_last and not self._lines:
                self.replies.append(reply)
                continue
            self._lines.append(reply[1])
            if is_last:
                self.replies.append((reply[0], " ".join(self._lines)))
                self._lines.clear()
        if len(self._unread) + len(self._lines) * 512 > _MAX_REPLY_BYTES:
            self._fail(ConnectionAbortedError("the server's reply has no end"))
        if self.replies:
            self._wake()

    def _fail_for(self, line: bytes) -> None:
        words = reply_text(0, line.decode("utf-8", "replace")).removeprefix("0 ")
        self._fail(ConnectionAbortedError(f"the server speaks no SMTP: {words!r}"))

    def eof_received(self) -> None:
        """The server will send nothing more."""
        self._fail(ConnectionResetError("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, by either side."""
        words = str(exc or "") or "the connection was lost"
        self._fail(ConnectionResetError(words))
        self._written.set()
        self._cancel_timer()

    def pause_writing(self) -> None:
        """The kernel takes no more bytes for now."""
        self._written.clear()

    def resume_writing(self) -> None:
        """The kernel has all bytes."""
        self._written.set()

    def _fail(self, error: OSError) -> None:
        self._error = self._error or error
        self._wake(self._error)

    def _wake(self, error: OSError | None = None) -> None:
        if self._reply_arrived is not None and not self._reply_arrived.done():
            if error is None or self.replies:
                self._reply_arrived.set_result(None)
            else:
                self._reply_arrived.set_exception(error)
