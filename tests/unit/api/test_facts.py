"""What a device and an address are taken for, before they are hashed."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.hot.facts import device_of, network_of
from tests.support.hot import Headers


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7:40000", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::7]:40000", "2001:db8::/64"),
        ("2001:db8::7", "2001:db8::/64"),
        ("2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        (":", ""),
        ("unix:", ""),
        ("unknown", ""),
        ("_hidden:80", ""),
        ("192.0.2.777", ""),
    ],
)
def test_a_network_is_an_ipv4_address_or_a_house(address: str, network: str) -> None:
    """With a port or without; what is no address is nobody's."""
    assert network_of(address) == network


@given(st.text(max_size=60))
def test_no_address_is_too_odd(address: str) -> None:
    """Whatever a proxy writes: something is made of it, or nothing."""
    assert network_of(address) == network_of(address)


@given(st.integers(0, (1 << 128) - 1), st.integers(0, (1 << 64) - 1))
def test_a_house_is_one_network_whatever_its_hosts_are_called(address: int, host: int) -> None:
    """All addresses below a prefix of 64 bits are one network."""
    other = address >> 64 << 64 | host
    if IPv6Address(address).ipv4_mapped or IPv6Address(other).ipv4_mapped:
        return
    assert network_of(str(IPv6Address(address))) == network_of(str(IPv6Address(other))) != ""


@pytest.mark.parametrize("said", ["x", "a" * 128, "5f0c6a52-7d0e-4b6f", " ~"])
def test_a_device_is_what_it_calls_itself(said: str) -> None:
    assert device_of(Headers({"x-device-id": said})) == said


@pytest.mark.parametrize("said", [None, "", "a" * 129, "手机", "a\tb", "\x00", "a\x7f"])
def test_a_device_that_says_nothing_sensible_says_nothing(said: str | None) -> None:
    """Absent, too long, not ASCII, not printable."""
    assert device_of(Headers({} if said is None else {"x-device-id": said})) == ""
