"""Hostile papers in the newsletter's own letter, under every installed Python."""

import os
import shutil
import subprocess
from pathlib import Path

import jinja2
import pytest

from newsletter.letter.rendering import render_issue
from tests.support.demo_letter import shipped_templates
from tests.support.factories import paper
from tests.support.hostile_inputs import HOSTILE_TEXTS, check_message, paper_of
from tests.support.html_outline import Outline
from tests.support.letters import (
    SITE,
    edition,
    issue,
    make_letter,
    message_bytes,
    parse_message,
    section,
    text_of_part,
)

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_paper_is_shown_literally_or_dropped(hostile: str) -> None:
    papers = (
        paper_of(hostile),
        paper(2, "Untouched", abstract="It is as it was.", url="https://example.org/2"),
    )
    fragments, quarantined = render_issue(issue(papers, "Reasoning"), SITE, shipped_templates())
    assert quarantined == ()
    cut = edition(section("Reasoning", 0, 1, because=hostile))
    message = message_bytes(make_letter(fragments, cut)[1])
    check_message(message)
    outline = Outline(text_of_part(parse_message(message), "html"))
    assert not outline.open
    assert len(outline.all("h3")) == 2
    assert not {"script", "img"} & {tag for tag, _ in outline.elements}


@pytest.mark.slow
@pytest.mark.parametrize("minor", [12, 13])
def test_hostile_papers_are_harmless_on_other_pythons(minor: int) -> None:
    python = other_python(minor)
    if python is None:
        pytest.skip(f"Python 3.{minor} is not installed here")
    packages = Path(jinja2.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": f"{CHECKOUT}{os.pathsep}{packages}"}
    run = subprocess.run(  # noqa: S603 - an interpreter found on this machine, our own script
        [python, "-B", str(CHECKOUT / "tests" / "support" / "hostile_inputs.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "ImportError" in run.stderr or "ModuleNotFoundError" in run.stderr:
        pytest.skip(f"a compiled package here does not load under Python 3.{minor}: {run.stderr}")
    assert run.returncode == 0, run.stderr


def other_python(minor: int) -> str | None:
    """The interpreter of that version, from the path or from pyenv."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = sorted(root.glob(f"versions/3.{minor}.*/bin/python"))
    return str(installed[-1]) if installed else shutil.which(f"python3.{minor}")
