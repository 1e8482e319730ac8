"""Bounces that a real Exim writes about a letter."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from newsletter.bounces.parsing import ParsedMail, parse
from tests.support.bounce_mails import letter_id, return_path

EXIM = shutil.which("exim4", path=f"{os.environ['PATH']}:/usr/sbin")
CONFIG = """\
exim_path = {exim}
primary_hostname = relay.example.net
spool_directory = {folder}/spool
log_file_path = {folder}/log-%s
exim_user = root
exim_group = root
never_users =
keep_environment =
begin routers
refuse:
  driver = redirect
  domains = example.net
  allow_fail
  data = :fail: ${{if eq{{$local_part}}{{gone}}{{No such user here}}{{Your IP is on a blocklist}}}}
"""

pytestmark = pytest.mark.skipif(
    EXIM is None or os.geteuid() != 0, reason="Exim is not installed, or this user may not start it"
)


def returned(folder: Path, recipient: str) -> ParsedMail:
    """What Exim sends back about a letter to a recipient; it waits in Exim's queue."""
    config = folder / "exim.conf"
    config.write_text(CONFIG.format(exim=EXIM, folder=folder), encoding="utf-8")
    letter = (
        f"From: papers@example.org\nTo: {recipient}\nMessage-ID: {letter_id()}\n"
        "Subject: Policies against spam: a survey\n\nOne paper.\n"
    )
    exim = [str(EXIM), "-C", str(config)]
    send = [*exim, "-odf", "-f", return_path(), recipient]
    subprocess.run(send, input=letter.encode(), check=True)  # noqa: S603 - a program of the test's
    (queued,) = (folder / "spool" / "input").glob("*-H")
    show = [*exim, "-Mvc", queued.name.removesuffix("-H")]
    return parse(subprocess.run(show, capture_output=True, check=True).stdout)  # noqa: S603


@pytest.mark.parametrize(
    ("recipient", "meaning", "said"),
    [
        ("gone@example.net", "hard", "No such user here"),
        ("ada@nowhere.invalid", "hard", "Unrouteable address"),
        ("ada@example.net", "soft", "Your IP is on a blocklist"),
    ],
)
def test_exims_bounce_is_understood(
    tmp_path: Path, recipient: str, meaning: str, said: str
) -> None:
    mail = returned(tmp_path, recipient)
    assert mail.meaning == meaning
    assert said in mail.said
    assert mail.recipients == (recipient,)
    assert mail.letter_ids == (letter_id(),)
    assert return_path() in " ".join(mail.address_fields)
