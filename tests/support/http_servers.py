"""Real HTTP servers on loopback: one that answers, and one that misbehaves by a script."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

POLL = 0.01
"""Seconds between two checks whether the server is to stop."""


Page = tuple[int, Mapping[str, str], bytes]
"""An answer: status, headers, body."""


@contextlib.contextmanager
def serve(answer: Callable[[str, Mapping[str, str]], Page]) -> Iterator[str]:
    """Serve ``answer``, which gets a path and its query, on loopback; yield the origin."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # the body, written by itself, does not wait for an ACK

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            status, headers, body = answer(parts.path, query)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[POLL], daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def daily_papers(days: Mapping[str, list[Any]]) -> Callable[[str, Mapping[str, str]], Page]:
    """An ``answer`` for :func:`serve` that pages through daily papers as Hugging Face does."""

    def answer(path: str, query: Mapping[str, str]) -> Page:
        if path != "/api/daily_papers":
            return 404, {}, b"not found"
        items = days.get(query.get("date", ""), [])
        limit, page = int(query.get("limit", "50")), int(query.get("p", "0"))
        part = items[page * limit : (page + 1) * limit]
        return 200, {"Content-Type": "application/json"}, json.dumps(part).encode()

    return answer
