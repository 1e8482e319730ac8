"""No error and no log line shows a login or a key of a URL, whatever characters it has."""

import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from newsletter.cli.logs import LogFormat, configure_logging
from newsletter.errors import SourceError, StoreError, describe, without_secrets
from newsletter.stores.sql.errors import printable_url

PASSWORDS = st.text(st.characters(codec="ascii", exclude_characters="\x00"), min_size=1).map(
    lambda text: f"hunter{text}2"
)


@given(password=PASSWORDS, scheme=st.sampled_from(["https", "http", "postgresql"]))
def test_encoded_login_of_a_url_is_masked(password: str, scheme: str) -> None:
    url = f"{scheme}://me:{quote(password, safe='')}@h.example/feed"
    for shown in (str(SourceError(f"{url}: no answer")), describe(ValueError(f"{url!r} is odd"))):
        assert "hunter" not in shown
        assert "h.example/feed" in shown


@given(password=PASSWORDS)
def test_store_in_an_error_shows_no_password(password: str) -> None:
    url = make_url(f"postgresql://me:{quote(password, safe='')}@h.example/n?sslpassword=hunter3")
    shown = str(StoreError(f"{printable_url(url)}: there is no such host."))
    assert "hunter" not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/f?api_key=k3y&x=1", "https://h.example/f?api_key=***&x=1"),
        ("https://h.example/f?x=1&apiKey=k3y#top", "https://h.example/f?x=1&apiKey=***#top"),
        ("https://h.example/f?access_token=k3y", "https://h.example/f?access_token=***"),
        ("https://h.example/f?key=k3y", "https://h.example/f?key=***"),
        ("https://h.example/f?X-Amz-Signature=k3y", "https://h.example/f?X-Amz-Signature=***"),
        ("https://k3y@h.example/f", "https://***@h.example/f"),
        ("https://a:k3y@s@h.example/f", "https://***@h.example/f"),
        ("https://h.example/@user/feed", "https://h.example/@user/feed"),
        ("https://h.example/f?author=Ada&keywords=x", "https://h.example/f?author=Ada&keywords=x"),
        ("ada@example.org: no such mailbox", "ada@example.org: no such mailbox"),
        ("postgresql://user:password@host/name", "postgresql://user:password@host/name"),
    ],
)
def test_only_secrets_of_a_url_are_masked(url: str, shown: str) -> None:
    assert without_secrets(f"{url}: refused") == f"{shown}: refused"


@pytest.mark.parametrize("log_format", [*LogFormat])
def test_log_lines_show_no_key(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(verbose=True, log_format=log_format)
    error = ValueError("https://h.example/?token=k3y is odd")
    logging.getLogger("newsletter.test").warning("%s", error, exc_info=error)
    shown = capsys.readouterr().err
    assert "odd" in shown
    assert "k3y" not in shown
