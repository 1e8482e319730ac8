"""Serving pages beside other work: a server in a thread of its own."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from newsletter.app import event_loop
from newsletter.errors import UsageError

MOST = 1000
"""Requests under way at once; to more it answers that it is busy (503)."""

GRACE = 10
"""Seconds that requests under way have when the server ends."""


@contextlib.contextmanager
def serving(
    app: ASGIApp, host: str, port: int, trusted_proxies: Sequence[str] = ()
) -> Iterator[int]:
    """Serve until the block ends; yields the port, which is a free one where 0 was asked for.

    There is no access log: addresses carry what must not be written down.

    Args:
        app: what to serve.
        host: the address to listen on.
        port: the port to listen on.
        trusted_proxies: whose word is taken for who asks (``X-Forwarded-For``); nobody's unless
            they are named.

    Raises:
        UsageError: one cannot listen there.
    """
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)
    with _listening(host, port) as listening:
        thread = threading.Thread(target=event_loop.run, args=[server.serve(sockets=[listening])])
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise UsageError(
            f"web: cannot listen on {host}, port {port}: {error.strerror}; choose another port"
        ) from error
    # asyncio sets this on sockets that say they are TCP, which those made by create_server do
    # not; without it every answer waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
