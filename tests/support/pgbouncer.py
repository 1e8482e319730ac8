"""PgBouncer in front of a PostgreSQL server, as Debian has it."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.daemons import free_port

PoolMode = Literal["transaction", "session", "statement"]


@contextlib.contextmanager
def pgbouncer(url: str, mode: PoolMode, sessions: int = 3) -> Iterator[str]:
    """Run PgBouncer with so many sessions of the server; yield the address through it."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    with tempfile.TemporaryDirectory() as name:
        settings = Path(name) / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\npostgres = host={folder} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {(port := free_port())}\n"
            "unix_socket_dir =\nauth_type = any\nserver_login_retry = 1\n"
            f"pool_mode = {mode}\ndefault_pool_size = {sessions}\n",
            encoding="ascii",
        )
        Path(name).chmod(0o755)
        # It refuses to run as root; the owner of the folder may use the socket in it.
        user = ["-u", Path(folder).owner()] if os.geteuid() == 0 else []
        with subprocess.Popen([program, "-q", *user, str(settings)]) as process:  # noqa: S603
            try:
                _wait_for(port)
                yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
            finally:
                process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        threading.Event().wait(0.05)
    raise RuntimeError("PgBouncer does not listen")
