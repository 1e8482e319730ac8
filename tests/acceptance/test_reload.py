"""A running newsletter notices a changed configuration, and takes it in when it is asked to."""

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsletter.app.reloading import Reloading, answer_file
from newsletter.app.wiring import App, open_app
from newsletter.config.api import hash_token
from newsletter.doctor.issues import configurations
from newsletter.errors import ConfigurationError
from newsletter.model import Heartbeat
from tests.support.cli import Newsletter
from tests.support.daemons import free_port, running_daemon, stop_daemon, wait_until
from tests.support.logs import log_lines


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    made = Newsletter(tmp_path)
    made.configure(name="Before")
    made.subscribe({"email": "ada@example.org"})
    return made


@pytest.fixture
def reloading(newsletter: Newsletter) -> Iterator[Reloading]:
    """A process that works with the configuration as it was before."""
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        (app.own_folder / "runs").mkdir()
        _ = app.store
        yield Reloading(app)


def take_in(reloading: Reloading) -> str:
    """Take the configuration in, as at the end of a tick; return the answer."""
    reloading.ask()
    reloading.take_in()
    answer: str = json.loads(answer_file(reloading.app, os.getpid()).read_text())["answer"]
    return answer


def test_secret_of_a_new_newsletter_is_no_change(newsletter: Newsletter) -> None:
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        new = Reloading(app)
        _ = app.store
        assert new.changed() == ""


def test_change_is_noticed_and_logged_once(newsletter: Newsletter, reloading: Reloading) -> None:
    before = reloading.configuration
    assert reloading.changed() == ""
    newsletter.configure(name="After")
    said = "newsletter.yaml has changed since the start: run `newsletter reload`"
    with log_lines() as lines:
        assert [reloading.changed(), reloading.changed()] == [said, said]
    assert lines == [said]
    assert take_in(reloading) == "ok"
    assert (reloading.app.settings.name, reloading.changed()) == ("After", "")
    assert reloading.configuration != before


@pytest.mark.slow
def test_rotated_secret_is_a_change(newsletter: Newsletter, reloading: Reloading) -> None:
    newsletter.run("secret", "rotate")
    assert "the secrets" in reloading.changed()
    assert take_in(reloading) == "ok"
    assert len(reloading.app.keyring.secrets) == 2


def test_broken_configuration_is_refused(newsletter: Newsletter, reloading: Reloading) -> None:
    newsletter.configure(name="After", timezone="Nowhere/At-All")
    assert take_in(reloading) == "refused"
    assert reloading.app.settings.name == "Before"
    assert reloading.changed()


@pytest.mark.slow
def test_part_that_refuses_changes_no_other(newsletter: Newsletter, reloading: Reloading) -> None:
    used: list[str] = []

    def refuse(_app: App) -> Callable[[], None]:
        raise ConfigurationError("no such file", file="subscribers.yaml")

    reloading.parts += [lambda app: lambda: used.append(app.settings.name), refuse]
    newsletter.configure(name="After")
    assert take_in(reloading) == "refused"
    reloading.parts.remove(refuse)
    assert take_in(reloading) == "ok"
    assert used == ["After"]


@pytest.mark.slow
def test_what_needs_a_restart_is_named(newsletter: Newsletter, reloading: Reloading) -> None:
    newsletter.configure(name="After", store="sqlite:///other.db", web={"port": 1})
    assert take_in(reloading) == "ok"
    assert reloading.app.settings.store == "sqlite:///newsletter.db"
    assert reloading.app.settings.name == "After"
    assert reloading.changed() == "store, web: changed; needs a restart"


def test_unasked_or_unchanged_nothing_happens(reloading: Reloading) -> None:
    app = reloading.app
    reloading.take_in()
    assert take_in(reloading) == "ok"
    assert reloading.app is app


def test_doctor_names_settings_that_changed(reloading: Reloading) -> None:
    app, now = reloading.app, reloading.app.clock.now()
    app.store.record_heartbeat(Heartbeat("run here", now, now, "", "d", "x has changed"))
    (found,) = configurations(app)
    assert (found.state, found.said) == ("wrong", "run here: x has changed")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "serve"])
def test_daemon_takes_in_the_configuration(newsletter: Newsletter, command: str) -> None:
    port = free_port()
    pages = {"url": f"http://127.0.0.1:{port}", "web": {"host": "127.0.0.1", "port": port}}
    token = {"name": "t", "hash": hash_token("t"), "scopes": ["issues:read"]}
    newsletter.configure(name="Before", api={"tokens": [token]}, **pages)

    def api_status() -> int:
        asked = {"Authorization": "Bearer t"}
        address = f"http://127.0.0.1:{port}/api/v1/issues"
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=asked)) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def shows(name: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
                return name in page.read().decode()
        except OSError:
            return False

    with running_daemon(newsletter, command) as daemon:
        wait_until(lambda: shows("Before"), daemon)
        wait_until(lambda: newsletter.json("status")["awake"], daemon)
        assert api_status() == 200
        newsletter.configure(name="After", **pages)
        (answer,) = newsletter.json("reload")
        assert (answer["command"], answer["said"]) == (command, "took in newsletter.yaml")
        assert shows("After")
        assert api_status() == 404, "a token ends with its line"
        newsletter.configure(name="Broken", timezone="Nowhere/At-All", **pages)
        for _ in range(10):
            os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: "Nowhere/At-All" in daemon.stderr, daemon)
        assert "Nowhere/At-All" in newsletter.run("reload", code=3).stderr
        assert shows("After")
        newsletter.configure(name="After", **pages)
        assert newsletter.json("status")["awake"][0]["name"].startswith(command)
        said = stop_daemon(daemon)
    assert "the configuration stays as it was" in said
    newsletter.run("reload", code=2)
