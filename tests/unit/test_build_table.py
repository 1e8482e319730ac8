"""The vector table: the file that ships, and the tool that builds it."""

import gzip
import hashlib
import io
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from bench.workload import morning
from newsletter.app.files import read_table
from newsletter.errors import ConfigurationError
from newsletter.meaning import VectorTable
from tools.build_table import Paper, build, find_acronyms, long_form, read_papers

DATA = files("newsletter").joinpath("data")
PIECES = ["a", "b", "e", "##s", "##e", "##d", "speech", "model", "models", "proteins", "new", "the"]


def made_up(folder: Path) -> list[Paper]:
    written = folder / "abstracts.jsonl.gz"
    items = [paper.item for paper in morning(20, 1).issue.papers]
    lines = (json.dumps({"title": item.title, "abstract": item.abstract}) for item in items)
    written.write_bytes(gzip.compress("\n".join(lines).encode()))
    return read_papers(written)


def test_shipped_table_has_documented_checksum() -> None:
    checksum = hashlib.sha256(read_table()).hexdigest()
    assert checksum in DATA.joinpath("meaning.md").read_text(encoding="utf-8")


def test_missing_or_damaged_table_is_named(tmp_path: Path) -> None:
    remedy = "install the newsletter again, or set `matching: rules` in newsletter.yaml"
    with pytest.raises(ConfigurationError, match=f"meaning.npz: no such file; {remedy}"):
        read_table(tmp_path)
    tmp_path.joinpath("meaning.md").write_bytes(DATA.joinpath("meaning.md").read_bytes())
    for data in (b"", read_table()[:-1]):
        tmp_path.joinpath("meaning.npz").write_bytes(data)
        with pytest.raises(ConfigurationError, match=f"meaning.npz: the file is damaged; {remedy}"):
            read_table(tmp_path)


def test_same_abstracts_give_same_bytes(tmp_path: Path) -> None:
    written = []
    for _ in range(2):
        file = io.BytesIO()
        np.savez_compressed(file, **build(made_up(tmp_path), PIECES))
        written.append(file.getvalue())
    assert written[0] == written[1]
    assert VectorTable.load(written[0]).vector("speech models").scale > 0


@pytest.mark.parametrize(
    ("short", "before", "long"),
    [
        ("PPO", "we train with proximal policy optimization", "proximal policy optimization"),
        ("MoE", "sparse mixture-of-experts", "mixture of experts"),
        ("CT", "in computed tomography", "computed tomography"),
        ("XYZ", "nothing of the kind", ""),
    ],
)
def test_long_form_has_the_letters_in_order(short: str, before: str, long: str) -> None:
    assert long_form(short, before) == long


def test_acronym_needs_two_abstracts() -> None:
    told = "Mixtures of experts (MoEs) and state space models (SSMs)."
    twice = Paper("", told), Paper("", "A mixture of experts (MoE). State space models (SSM).")
    assert find_acronyms([twice[0]]) == {}
    assert find_acronyms(twice)["ssm"] == "state space models"
