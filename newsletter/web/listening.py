"""HTTP servers: one in a thread beside other work, and one on loopback until Ctrl-C."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from newsletter.app import event_loop
from newsletter.errors import UsageError

LOOPBACK = "127.0.0.1"
EVERY_IPV4, EVERY_IPV6 = "0.0.0.0", "::"  # noqa: S104 - if the operator asks for it
PORT_ERRORS = frozenset({errno.EADDRINUSE, errno.EACCES})

MAX_REQUESTS = 1000  # requests at once; a further one gets the answer that the server is busy (503)
GRACE = 10  # seconds that requests may still take when the server stops
PORTS_TRIED = 50  # how many ports are tried from the wanted one on

MAX_PORT = 65535


@contextlib.contextmanager
def serve_in_thread(
    app: ASGIApp, host: str, port: int, trusted_proxies: Sequence[str] = ()
) -> Iterator[int]:
    """Serve until the block ends; yields the port, which is a free one if 0 was given.

    ``::`` means every address, of IPv4 too: that has a socket of its own, so that its clients and
    proxies keep their addresses. There is no access log: the addresses contain signed links, which
    are secrets. The ``X-Forwarded-For`` of trusted proxies is believed.

    Raises:
        UsageError: it is not possible to listen there.
    """
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_REQUESTS,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)
    with contextlib.ExitStack() as stack:
        try:
            sockets = [stack.enter_context(_listen(host, port))]
            port = sockets[0].getsockname()[1]
            if host == EVERY_IPV6:
                sockets.append(stack.enter_context(_listen(EVERY_IPV4, port)))
        except OSError as error:
            other = "port" if error.errno in PORT_ERRORS else "address (web.host)"
            problem = f"web: cannot listen on {host}, port {port}: {error.strerror}"
            raise UsageError(f"{problem}; choose another {other}") from error
        thread = threading.Thread(target=event_loop.run, args=[server.serve(sockets=sockets)])
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()


async def serve_on_loopback(app: ASGIApp, port: int, announce: Callable[[str], None]) -> None:
    """Serve on loopback until interrupted, on ``port`` or the next free one.

    ``announce`` is called with the address once it listens.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    with _listen_nearby(port) as listening:
        announce(f"http://{LOOPBACK}:{listening.getsockname()[1]}/")
        await uvicorn.Server(config).serve(sockets=[listening])


def _listen_nearby(port: int) -> socket.socket:
    """A listening socket on ``port``, on the next free one, or else on any."""
    for each in range(port, min(port + PORTS_TRIED, MAX_PORT + 1)):
        with contextlib.suppress(OSError):
            return _listen(LOOPBACK, each)
    return _listen(LOOPBACK, 0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=512)
    # asyncio sets this only on sockets whose protocol is TCP, and create_server leaves it 0;
    # without it every answer waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
