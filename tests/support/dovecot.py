"""A real Dovecot with IMAP and POP3, in a folder of its own."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "bounce@example.org", 'a "pass\\word" with ü'

_CONFIGURATION = """\
protocols = imap pop3
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_location = maildir:{folder}/mail
mail_max_userip_connections = 50
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/home
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    auto = create
  }}
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """A running Dovecot: its ports, its Maildir, and the certificate that it shows."""

    folder: Path
    imap: int
    imaps: int
    pop3: int
    pop3s: int

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def certificate(self) -> Path:
        """The certificate to trust."""
        return self.folder / "certificate.pem"

    def deliver(self, *mails: bytes, folder: str = "") -> None:
        """Put mails into the mailbox, or into a folder of it."""
        place = self.folder / "mail" / (f".{folder}" if folder else "")
        for part in ("tmp", "new", "cur"):
            (place / part).mkdir(parents=True, exist_ok=True)
        first = len(list((place / "new").iterdir())) + time.time_ns()
        for number, mail in enumerate(mails, first):
            (place / "new" / f"{number}.test").write_bytes(mail)
        _give_to_mail(self.folder / "mail")

    def flags(self) -> list[str]:
        """The flags of the mails in the mailbox, by name; those of unread mails are empty."""
        paths = [p for part in ("new", "cur") for p in (self.folder / "mail" / part).iterdir()]
        return [path.name.partition(":2,")[2] for path in sorted(paths, key=lambda p: p.name)]


@contextlib.contextmanager
def running_dovecot() -> Iterator[Dovecot]:
    """Start a Dovecot with one user; root only."""
    if shutil.which("dovecot") is None or os.geteuid() != 0:
        pytest.skip("needs Dovecot, and root to start it")
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    folder.chmod(0o755)
    ports = _free_ports(4)
    made = Dovecot(folder, *ports)
    try:
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", encoding="utf-8")
        _make_certificate(folder)
        text = _CONFIGURATION.format(
            folder=folder,
            **dict(zip(("imap", "imaps", "pop3", "pop3s"), ports, strict=True)),
        )
        (folder / "dovecot.conf").write_text(text, encoding="utf-8")
        made.deliver()
        _run("dovecot", "-c", str(folder / "dovecot.conf"))
        yield made
    finally:
        _run("doveadm", "-c", str(folder / "dovecot.conf"), "stop", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_sockets:
        found = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


def _make_certificate(folder: Path) -> None:
    names = "subjectAltName=IP:127.0.0.1"
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _run("openssl", "req", "-x509", *kind, *files, "-subj", "/CN=127.0.0.1", "-addext", names)


def _give_to_mail(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, "mail", "mail")


def _run(*words: str, check: bool = True) -> None:
    # Not captured: the daemon would keep the pipe open.
    nothing = subprocess.DEVNULL
    subprocess.run(words, check=check, timeout=60, stdout=nothing, stderr=nothing)  # noqa: S603
