"""The names of letters' files."""

import pytest

from newsletter.transports.folder import file_name


@pytest.mark.parametrize("address", ["ada@example.org", "a.b+c_d-e@sub.example.org"])
def test_plain_address_is_its_own_file_name(address: str) -> None:
    assert file_name(address) == f"{address}.eml"


@pytest.mark.parametrize(
    "address",
    [
        "../../etc/passwd",
        "/etc/passwd",
        ".hidden@x.org",
        "a/b@x.org",
        "a\\b@x.org",
        "..",
        "",
        "\udcff",
        "a\x00@x.org",
        "ADA@example.org",
        "x" * 5_000 + "@x.org",
        "é@x.org",
    ],
)
def test_other_addresses_are_escaped_and_stay_unique(address: str) -> None:
    name = file_name(address)
    assert name == name.lower()
    assert len(name) < 130
    assert "/" not in name
    assert "\\" not in name
    assert ".." not in name
    assert not name.startswith(".") or address == ""
    assert name.isascii()
    assert name.isprintable()
    assert name != file_name(address + "x")


def test_similar_addresses_have_different_file_names() -> None:
    assert len({file_name(a) for a in ("a/b@x.org", "a_b@x.org", "a:b@x.org", "A_b@x.org")}) == 4
