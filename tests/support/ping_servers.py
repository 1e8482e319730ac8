"""A server that takes pings as healthchecks does, and one that misbehaves."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.http_servers import POLL

CHECK = "/0b4c1f7e-secret"
"""The path of the check, which is its secret."""


@dataclass
class PingServer:
    """What came: the end of each path, and its words; ``answers`` are statuses in turn, then 200.

    A status of 0 stands for no answer before ``released``.
    """

    answers: list[int] = field(default_factory=list)
    came: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def ends(self) -> list[str]:
        """The ends of the paths alone."""
        return [end for end, _ in self.came]


@contextlib.contextmanager
def ping_server(*answers: int) -> Iterator[PingServer]:
    """Serve on loopback until the block ends."""
    made = PingServer([*answers])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            words = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            made.came.append((self.path.removeprefix(CHECK), words))
            status = made.answers.pop(0) if made.answers else 200
            if status == 0:
                made.released.wait()
                return
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{made.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}{CHECK}"
    thread = threading.Thread(target=server.serve_forever, args=[POLL], daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
