import pytest

from newsletter.sources.http_guard import is_public, is_web_port


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::5"])
def test_public_internet_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.8",
        "224.0.0.1",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fd00::1",
        "fe80::1%eth0",
        "ff02::1",
        "not an address",
        "",
    ],
)
def test_every_other_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("port", "fetched"),
    [(80, True), (443, True), (1024, True), (65535, True), (22, False), (81, False), (1023, False)],
)
def test_web_ports_and_high_ports_are_allowed(port: int, *, fetched: bool) -> None:
    assert is_web_port(port) == fetched
