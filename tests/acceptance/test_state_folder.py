"""The folder for the newsletter's own files: named by the operator, or beside the configuration."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.app.wiring import open_app
from newsletter.errors import ConfigurationError
from tests.support.cli import Newsletter

ROOT = Path(__file__).parents[2]


def configured(folder: Path, **settings: object) -> Newsletter:
    folder.mkdir(exist_ok=True)
    newsletter = Newsletter(folder)
    newsletter.configure(**settings)
    newsletter.subscribe({"email": "ada@example.org"})
    return newsletter


def own_folder(newsletter: Newsletter) -> Path:
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        _ = app.keyring
        assert (app.own_folder / "secret").is_file()
        return app.own_folder


def test_state_is_beside_the_configuration_by_default(tmp_path: Path) -> None:
    assert own_folder(configured(tmp_path)) == tmp_path / ".newsletter"


def test_setting_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_STATE", str(tmp_path / "by-environment"))
    named = configured(tmp_path / "a", state="../by-setting/deep")
    assert own_folder(named).resolve() == tmp_path / "by-setting" / "deep"
    assert own_folder(configured(tmp_path / "b")) == tmp_path / "by-environment"


def test_files_in_the_former_folder_are_not_forgotten(tmp_path: Path) -> None:
    former = own_folder(configured(tmp_path))
    secret = (former / "secret").read_text()
    newsletter = configured(tmp_path, state=str(tmp_path / "state"))
    with pytest.raises(ConfigurationError, match=rf"cp -a {former}/\. {tmp_path}/state/"):
        own_folder(newsletter)
    shutil.copytree(former, tmp_path / "state")
    assert (own_folder(newsletter) / "secret").read_text() == secret


@pytest.fixture
def read_only(tmp_path: Path) -> Newsletter:
    """A newsletter in a folder that nobody may write, with a store elsewhere."""
    (tmp_path / "data").mkdir()
    newsletter = configured(tmp_path / "etc", store=f"sqlite:///{tmp_path}/data/newsletter.db")
    newsletter.folder.chmod(0o555)
    return newsletter


def run_unprivileged(newsletter: Newsletter, *words: str, **environment: str) -> str:
    """Run a command without root's right to write everywhere; return what it said."""
    drop = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
    if drop and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed, and root may write everywhere")
    done = subprocess.run(  # noqa: S603 - our own command
        [*drop, sys.executable, "-m", "newsletter", *words],
        cwd=newsletter.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_read_only_folder_needs_and_takes_another(read_only: Newsletter, tmp_path: Path) -> None:
    assert "NEWSLETTER_STATE" in run_unprivileged(read_only, "send", "--yes")
    state = str(tmp_path / "data" / "state")
    said = run_unprivileged(read_only, "send", "--yes", NEWSLETTER_STATE=state)
    assert "ermission" not in said
    assert "NEWSLETTER_STATE" not in said
    assert {path.suffix for path in read_only.folder.iterdir()} == {".yaml"}
