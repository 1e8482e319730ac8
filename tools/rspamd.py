"""A private rspamd with its own configuration and without network access."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from email.utils import format_datetime
from pathlib import Path

from newsletter.app.clock import SystemClock

SHIPPED = Path("/etc/rspamd/rspamd.conf")
PATIENCE = 120
"""Seconds until it answers at the latest: it compiles its patterns first."""

_SESSION = {
    "IP": "192.0.2.25",
    "Helo": "mail.example.org",
    "Hostname": "mail.example.org",
    "From": "bounce+1@example.org",
    "Rcpt": "ada@example.org",
}
"""The facts about the connection that a mail server would pass on."""

_DATE = re.compile(rb"^Date: [^\r\n]*", re.MULTILINE)

_OFF = "enabled = false;\n"
_LOCAL = {
    "worker-normal.inc": 'bind_socket = "127.0.0.1:{port}";\ncount = 1;\n',
    "worker-controller.inc": _OFF,
    "worker-proxy.inc": _OFF,
    "worker-fuzzy.inc": _OFF,
    "fuzzy_check.conf": _OFF,
    "rbl.conf": _OFF,
    "asn.conf": _OFF,
    "logging.inc": 'type = "console";\nlevel = "error";\n',
    "options.inc": 'dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}\n',
}
"""The differences from the shipped configuration: loopback only, no DNS lists, no statistics."""


class Rspamd:
    """A running rspamd on a port of loopback."""

    def __init__(self, port: int) -> None:
        self._port = port

    def judged(self, letter: bytes) -> tuple[str, str]:
        """Its verdict on a letter sent now: action, score, and the symbols behind the score."""
        sent = f"Date: {format_datetime(SystemClock().now())}".encode()
        answer = json.loads(self._ask("POST", "/checkv2", _DATE.sub(sent, letter, count=1)))
        symbols: Mapping[str, Mapping[str, float]] = answer["symbols"]
        weighty = [f"{name} {one['score']}" for name, one in symbols.items() if one["score"]]
        return answer["action"], f"{answer['score']}: {', '.join(weighty)}"

    def is_up(self) -> bool:
        """Whether it answers."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return bool(self._ask("GET", "/ping"))
        return False

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, body, _SESSION)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextlib.contextmanager
def running() -> Iterator[Rspamd | None]:
    """Run rspamd until the block ends; None if it is not installed."""
    program = shutil.which("rspamd")
    if program is None or not SHIPPED.is_file():
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        port = _configured(Path(folder))
        places = ("LOCAL_CONFDIR", "DBDIR", "RUNDIR", "LOGDIR")
        process = subprocess.Popen(  # noqa: S603 - the program named above
            [
                program,
                "-f",
                "-i",
                "-c",
                str(SHIPPED),
                *(f"--var={name}={folder}" for name in places),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield _awaited(Rspamd(port), process)
        finally:
            process.terminate()
            process.wait()


def _configured(folder: Path) -> int:
    """Write its settings; return the port it will listen on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    local = folder / "local.d"
    local.mkdir()
    for name, text in _LOCAL.items():
        (local / name).write_text(text.format(port=port), encoding="utf-8")
    return port


def _awaited(server: Rspamd, process: "subprocess.Popen[bytes]") -> Rspamd:
    end = time.monotonic() + PATIENCE
    while not server.is_up():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("rspamd is installed and does not start; run it by hand and see")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
    return server
