"""A readers' file with many readers: what is not read again, and what is right at a glance."""

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES

from newsletter.app.readers_file import LARGE, is_taken_in, record_taken_in
from newsletter.config.fields import _validated, address
from newsletter.config.rules import entries
from newsletter.config.yaml_file import load
from newsletter.errors import ConfigurationError
from tests.support.databases import temporary_store

FILE = b"subscribers:\n" + b"".join(b"  - email: r%05d@example.org\n" % n for n in range(4000))


def test_large_file_is_known_until_it_changes() -> None:
    store = temporary_store()
    assert len(FILE) > LARGE
    assert not is_taken_in(store, FILE, ["A"])
    record_taken_in(store, FILE, ["A"])
    assert is_taken_in(store, FILE, ["A"])
    assert not is_taken_in(store, FILE + b"#", ["A"])
    assert not is_taken_in(store, FILE, ["A", "B"])
    record_taken_in(store, b"subscribers: []", ["A"])
    assert not is_taken_in(store, FILE, ["A"])


@pytest.mark.parametrize("content", [b"subscribers: []", FILE + b"  - email: ${WHO}\n"])
def test_small_file_or_one_with_variables_is_read_again(content: bytes) -> None:
    store = temporary_store()
    record_taken_in(store, content, [])
    assert not is_taken_in(store, content, [])


def test_both_parsers_read_the_same_of_large_files() -> None:
    odd = rb"""  - {email: a@example.org, name: "x: \u00e9", topics: [a, 'b"']}
  - email: NO
    at: 12:30
"""
    small, large = (load(text + odd, "s.yaml", {}) for text in (FILE[:103], FILE))
    ends = [[entry for _, entry in entries(each, "subscribers")][-2:] for each in (small, large)]
    assert ends[0] == ends[1]
    assert large.line(("subscribers", 4001, "at")) == 4004


def test_mistake_in_large_file_has_its_line() -> None:
    with pytest.raises(ConfigurationError, match="not YAML") as caught:
        load(FILE + b"  - email: [\n", "s.yaml", {})
    assert caught.value.line in {4002, 4003}


@pytest.mark.parametrize(
    "text", ["ada@example.org", "a.b+c_d-e@x-1.example.org", "A1@b.co", f"{'a' * 49}@example.org"]
)
def test_plain_address_is_right_as_it_is(text: str) -> None:
    assert address(text) == text == _validated(text, display_name=False)[1]


@pytest.mark.parametrize("domain", SPECIAL_USE_DOMAIN_NAMES)
def test_domain_without_mail_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match="special-use"):
        address(f"ada@papers.{domain}")
