"""A real Postfix that delivers to commands and Maildirs, in a folder of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from smtplib import SMTP

import pytest

from tests.support.daemons import free_port

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
local unix - n n - - local
error unix - - n - - error
smtp unix - - n - - smtp
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.org
mydestination = papers.example.org
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
recipient_delimiter = +
alias_maps = texthash:{folder}/aliases
alias_database =
local_recipient_maps =
relayhost =
default_transport = error:no mail leaves this machine
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
"""


@dataclass(frozen=True)
class Postfix:
    """A running Postfix: its folder, open to the user ``nobody``, and its port."""

    folder: Path
    port: int

    def send(self, recipient: str, mail: bytes, sender: str = "<>") -> None:
        """Bring a mail."""
        with SMTP("127.0.0.1", self.port) as server:
            server.sendmail(sender, [recipient], mail)

    def control(self, word: str) -> None:
        """Start or stop it."""
        _control(self.folder, word)

    @property
    def log(self) -> str:
        """What it has logged."""
        file = self.folder / "log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


@contextlib.contextmanager
def running_postfix(aliases: Mapping[str, str], **settings: str) -> Iterator[Postfix]:
    """Start a Postfix with these aliases, in which ``{folder}`` is its folder; root only.

    ``settings`` are added to its configuration, or replace lines of it.
    """
    if shutil.which("postfix") is None or os.geteuid() != 0:
        pytest.skip("needs Postfix, and root to start it")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="postfix-"))
    try:
        folder.chmod(0o755)
        for name in ("queue", "data", "etc"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        shutil.chown(folder / "data", "postfix")
        lines = [f'{name} "{target.format(folder=folder)}"' for name, target in aliases.items()]
        (folder / "aliases").write_text("\n".join(lines) + "\n", encoding="utf-8")
        kept = [line for line in _MAIN.splitlines() if line.partition(" =")[0] not in settings]
        main = "\n".join([*kept, *(f"{name} = {text}" for name, text in settings.items()), ""])
        (folder / "etc/main.cf").write_text(main.format(folder=folder), encoding="utf-8")
        (folder / "etc/master.cf").write_text(_MASTER.format(port=port), encoding="utf-8")
        _control(folder, "start")
        yield Postfix(folder, port)
    finally:
        _control(folder, "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _control(folder: Path, word: str) -> None:
    words = ["/usr/sbin/postfix", "-c", str(folder / "etc"), word]
    done = subprocess.run(  # noqa: S603 - with a umask: commands of ours in this process set another
        words, check=False, capture_output=True, timeout=60, umask=0o022
    )
    if done.returncode and word == "start":
        log = folder / "log"
        said = log.read_text("utf-8", "replace") if log.exists() else ""
        raise RuntimeError(f"Postfix does not start: {done.stderr.decode()} {said}")


def python_for_everybody() -> str:
    """A command line that runs our Python modules as any user; skips where there is none."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    path = f"{Path(__file__).parents[2]}:{packages}"
    for python in (sys.executable, "/usr/bin/python3"):
        command = f"env PYTHONPATH={path} {python}"
        check = [*command.split(), "-c", "import newsletter.cli, sqlalchemy, psycopg"]
        with contextlib.suppress(OSError):
            done = subprocess.run(check, user="nobody", capture_output=True, cwd="/", check=False)  # noqa: S603
            if not done.returncode:
                return command
    pytest.skip("no Python that the user nobody may run has the newsletter's packages")
