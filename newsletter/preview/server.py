"""Serving the page on loopback until the person has seen enough."""

import contextlib
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from newsletter.preview.guard import HOST

TRIES = 50
"""Ports looked at from the one asked for."""

HIGHEST_PORT = 65535


async def serve(app: ASGIApp, port: int, told: Callable[[str], None]) -> None:
    """Serve on loopback until interrupted, on ``port`` or the next free one.

    Args:
        app: what to serve.
        port: the port that would be best.
        told: called with the address once it listens.
    """
    listening = _listen(port)
    # asyncio sets this on sockets that say they are TCP, which those made by create_server do
    # not; without it every answer waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    told(f"http://{HOST}:{listening.getsockname()[1]}/")
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    with listening:
        await uvicorn.Server(config).serve(sockets=[listening])


def _listen(port: int) -> socket.socket:
    """A listening socket on ``port``, on the next free one, or else on any."""
    for each in range(port, min(port + TRIES, HIGHEST_PORT + 1)):
        with contextlib.suppress(OSError):
            return socket.create_server((HOST, each))
    return socket.create_server((HOST, 0))
