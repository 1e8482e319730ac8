"""A real nginx in front of the readers' pages, configured as docs/pages.md says."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.daemons import free_port

_CONFIGURATION = """\
daemon off;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    access_log off;
    location / {{
      proxy_pass http://127.0.0.1:{pages};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""


def has_nginx() -> bool:
    """Whether nginx is installed."""
    return shutil.which("nginx") is not None


@contextlib.contextmanager
def running_nginx(pages: int) -> Iterator[int]:
    """Serve the pages at a port of loopback; yields nginx's own port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="nginx-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        text = _CONFIGURATION.format(folder=folder, port=port, pages=pages)
        (folder / "nginx.conf").write_text(text, encoding="ascii")
        words = ["nginx", "-p", place, "-c", str(folder / "nginx.conf")]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as server:  # noqa: S603
            try:
                _wait_for(port, server)
                yield port
            finally:
                server.terminate()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    while True:
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(0.05)
            raise RuntimeError("nginx does not start")
