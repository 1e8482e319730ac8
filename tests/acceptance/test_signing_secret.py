"""The secrets that sign links: the drawn one is only one, and none stops working unasked."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from newsletter.app.keys import kept_secret
from newsletter.app.wiring import App, open_app
from newsletter.errors import ConfigurationError
from tests.support.cli import Newsletter
from tests.support.factories import NOON, subscriber

MANY = 8


def test_concurrent_starts_share_one_secret(tmp_path: Path) -> None:
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        start = Barrier(MANY)

        def begin(_number: int, folder: Path = folder, start: Barrier = start) -> str:
            start.wait()
            return kept_secret(folder)

        with ThreadPoolExecutor(MANY) as pool:
            (found,) = set(pool.map(begin, range(MANY)))
        assert len(found) > 40
        assert kept_secret(folder) == found
        (kept,) = folder.iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 40])
def test_invalid_secret_signs_nothing(tmp_path: Path, content: bytes) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure()
    newsletter.subscribe({"email": "ada@example.org"})
    (tmp_path / ".newsletter").mkdir()
    (tmp_path / ".newsletter" / "secret").write_bytes(content)
    said = newsletter.run("send", "--yes", code=3).stderr
    assert f"{tmp_path}/.newsletter/secret: contains no secret; restore the file" in said
    assert (tmp_path / ".newsletter" / "secret").read_bytes() == content


ADA = "ada@example.org"
CHOSEN = "a secret that the operator chose"


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    """A newsletter that drew its secret, and which Ada left."""
    made = Newsletter(tmp_path)
    made.configure(url="https://papers.example.org")
    made.subscribe()
    with open_app(tmp_path / "newsletter.yaml") as app:
        app.store.save_reader(subscriber(ADA), status="unsubscribed", now=NOON)
    return made


def sign(newsletter: Newsletter) -> str:
    """A link as an email has it."""
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        (ada,) = app.store.readers()
        return app.reader_service.preferences_url(ada, NOON)


def opens(newsletter: Newsletter, link: str) -> bool:
    """Whether the pages accept a link, with the configuration as it is now."""
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        return _accepts(app, link)


def _accepts(app: App, link: str) -> bool:
    service = app.reader_service
    reader, _ = service.verify_link(link.rpartition("/")[2], "preferences", NOON)
    return reader.subscriber.email == ADA


@pytest.mark.slow
def test_links_survive_a_secret_that_is_set(newsletter: Newsletter) -> None:
    sent = sign(newsletter)
    newsletter.configure(url="https://papers.example.org", secret=CHOSEN)
    assert opens(newsletter, sent)
    assert sign(newsletter) != sent, "the one that was set signs"


def test_links_survive_another_sender_address(newsletter: Newsletter) -> None:
    sent = sign(newsletter)
    newsletter.configure(url="https://papers.example.org", sender="news@example.org")
    assert opens(newsletter, sent)
    assert sign(newsletter) != sent


@pytest.mark.slow
def test_rotated_secret_leaves_links_alone(newsletter: Newsletter) -> None:
    first = sign(newsletter)
    rotated = newsletter.json("secret", "rotate")
    second = sign(newsletter)
    newsletter.json("secret", "rotate")
    assert opens(newsletter, first)
    assert opens(newsletter, second)
    uses = [row["use"] for row in newsletter.json("secret", "list")]
    assert uses == ["signs", "verifies", "verifies"]
    newsletter.run("secret", "forget", rotated["fingerprint"], "--yes")
    assert opens(newsletter, first)
    assert len(newsletter.json("secret", "list")) == 2


def test_configured_secret_is_rotated_by_the_operator(newsletter: Newsletter) -> None:
    newsletter.configure(secret=CHOSEN)
    sent = sign(newsletter)
    assert "secret: [NEW, ...]" in newsletter.run("secret", "rotate").stdout
    newsletter.configure(secret=["another one, that is newer", CHOSEN])
    assert opens(newsletter, sent)


@pytest.mark.slow
def test_missing_secret_is_refused_until_forgotten(newsletter: Newsletter) -> None:
    newsletter.configure(secret=CHOSEN)
    sign(newsletter)
    newsletter.configure(secret="a secret that replaces the other")
    said = newsletter.run("subscribers", "list", code=3).stderr
    assert "no longer there" in newsletter.run("config", "check", code=3).stderr
    (lost,) = [row for row in newsletter.json("secret", "list") if row["use"] == "is missing"]
    assert f"`newsletter secret forget {lost['fingerprint']}`" in said
    newsletter.run("secret", "forget", lost["fingerprint"], "--yes")
    newsletter.run("subscribers", "list")


def test_deleted_secret_is_not_drawn_anew(newsletter: Newsletter) -> None:
    (newsletter.folder / ".newsletter" / "secret").unlink()
    with pytest.raises(ConfigurationError, match="no longer there"):
        sign(newsletter)


def test_unused_secret_may_be_replaced(newsletter: Newsletter) -> None:
    (newsletter.folder / "newsletter.db").unlink()
    for secret in (CHOSEN, "a secret that replaces the other"):
        newsletter.configure(secret=secret)
        with open_app(newsletter.folder / "newsletter.yaml") as app:
            assert app.store.readers() == ()


def test_erased_reader_is_known_after_a_change(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "erase", ADA, "--yes")
    newsletter.configure(secret=CHOSEN, sender="news@example.org")
    newsletter.subscribe({"email": ADA})
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        assert [reader.status for reader in app.readers()] == ["unsubscribed"]
