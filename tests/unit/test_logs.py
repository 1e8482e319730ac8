"""How log lines look: as text, with tracebacks, as JSON."""

import errno
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
from typing_extensions import override

from newsletter.cli.logs import LogFormat, configure_logging
from newsletter.errors import Isolated, StoreError

LOG = logging.getLogger("newsletter.publisher.ticking")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("newsletter")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def log_some() -> None:
    LOG.debug("a detail")
    LOG.info("%d letters", 2)
    LOG.warning("a source is missing")
    logging.getLogger("somebody.else").info("not ours")
    with Isolated("reader ada@example.org"):
        raise KeyError("cadence")


def test_text_is_one_line_per_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    log_some()
    assert capsys.readouterr().err.splitlines() == [
        "2 letters",
        "a source is missing",
        "reader ada@example.org: unexpected KeyError: 'cadence' (pass --verbose for the traceback)",
    ]


def test_verbose_adds_details_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(verbose=True)
    log_some()
    said = capsys.readouterr().err
    assert said.startswith("a detail\n2 letters\n")
    assert "Traceback (most recent call last)" in said
    assert said.endswith("KeyError: 'cadence'\n")


def test_quiet_leaves_only_errors(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(quiet=True)
    log_some()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("reader ada@example.org: unexpected KeyError")


def test_timestamps_are_utc(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(timestamps=True)
    LOG.info("running")
    time, _, message = capsys.readouterr().err.partition(" ")
    assert message == "running\n"
    assert len(time) == len("2026-08-03T07:00:00Z")


def test_json_is_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(log_format=LogFormat.JSON)
    log_some()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert lines[0]["message"] == "2 letters"
    assert lines[0]["logger"] == "newsletter.publisher.ticking"
    assert lines[0].keys() == {"time", "level", "logger", "message"}
    assert "Traceback" in lines[2]["exception"]


def test_errors_of_the_command_line_name_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    logging.getLogger("newsletter.cli").error("%s", "the store is locked")
    assert capsys.readouterr().err == "newsletter: the store is locked\n"


def test_known_errors_are_not_isolated() -> None:
    with pytest.raises(StoreError), Isolated("a tick"):
        raise StoreError("locked")


class FullDisk(io.StringIO):
    @override
    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging()
    closed = io.StringIO()
    closed.close()
    for stream in (FullDisk(), closed):
        monkeypatch.setattr(sys, "stderr", stream)
        LOG.info("running")
