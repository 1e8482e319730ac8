"""``newsletter preview`` of the demo in its own process, and requests to it."""

import contextlib
import http.client
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from tests.support.cli import Newsletter
from tests.support.daemons import free_port, wait_until
from tests.support.processes import running_command

ROOT = Path(__file__).parents[2]
DAY = "2026-08-12"
ADA = "ada@example.org"


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class PreviewServer:
    """A running ``newsletter preview``."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        """The URL of the page."""
        return f"http://127.0.0.1:{self.port}/"

    def request(
        self, path: str, form: Mapping[str, str] | None = None, /, method: str = "", **headers: str
    ) -> Response:
        """Send one request; a form is posted."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if form is None else urlencode(form)
        connection.request(method or ("GET" if form is None else "POST"), path, body, named)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)


def make_demo(folder: Path) -> Newsletter:
    """Write the demo into a folder: nothing is sent yet, and the templates are a copy of ours."""
    for name, content in _demo().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    shutil.copytree(ROOT / "templates", folder / "own")
    configuration = folder / "newsletter.yaml"
    configuration.write_text(configuration.read_text("utf-8") + "templates: own\n", "utf-8")
    return Newsletter(folder)


@cache
def _demo() -> Mapping[str, bytes]:
    """The files that the demo writes, without its store and its send journal."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        Newsletter(folder).run("demo", "--no-serve", "--out", ".")
        for path in folder.glob("newsletter.db*"):
            path.unlink()
        shutil.rmtree(folder / ".newsletter" / "witness")
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@contextlib.contextmanager
def running_preview(folder: Path, *words: str, port: int | None = None) -> Iterator[PreviewServer]:
    """Run ``newsletter preview`` of the demo in a folder."""
    command = ["preview", "--date", DAY, "--no-open", "--port", str(port or free_port()), *words]
    with running_command(command, folder, {**os.environ, "NO_COLOR": "1"}) as process:
        wait_until(lambda: "\n" in process.stderr, process)
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stderr)
        assert found, process.stderr
        yield PreviewServer(int(found[1]), folder)
