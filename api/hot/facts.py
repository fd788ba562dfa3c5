"""What a request says of the person who clicks: the device it names, and the network it comes from."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

from api.hot.body import RequestHeaders
from engine.admission.admission import Admission, Facts
from engine.sdk import Fact

DEVICE_HEADER = "x-device-id"
DEVICE_CHARS_MAX = 128
IPV6_HOUSE_BITS = 64  # a house has as many addresses below its prefix as it likes


class Scope(Protocol):
    """What is asked of a request besides headers and body."""

    @property
    def query_string(self) -> str:
        """What stands after the `?`."""

    @property
    def client(self) -> str:
        """The peer of the connection, `host:port`."""


class FactReader:
    """Reads them. `address_header`: where the proxy in front writes the client's address; "" without one."""

    def __init__(self, admission: Admission, *, address_header: str) -> None:
        self._admission = admission
        self._address_header = address_header.lower()

    async def facts(self, asks: Collection[str], user: str, headers: RequestHeaders, scope: Scope) -> Facts:
        """Those facts that are asked for, by name. Raises Unavailable when one cannot be had just now."""
        device = device_of(headers) if Fact.DEVICE in asks else ""
        address = self._address_of(headers, scope) if Fact.ADDRESS in asks else ""
        return await self._admission.facts(asks, user, device=device, address=address)

    def _address_of(self, headers: RequestHeaders, scope: Scope) -> str:
        if self._address_header and (lines := headers.get_all(self._address_header)):
            return network_of(lines[-1].rpartition(",")[2].strip())  # the last hop: the others are hearsay
        return network_of(scope.client)


def device_of(headers: RequestHeaders) -> str:
    """What the client calls its device; "" when it says nothing, or nothing sensible."""
    said = headers.get(DEVICE_HEADER) or ""
    return said if len(said) <= DEVICE_CHARS_MAX and said.isascii() and said.isprintable() else ""


def network_of(address: str) -> str:
    """The network of a client: its IPv4 address, or its house's IPv6 prefix; "" when it is neither."""
    found = _parsed(address) or _parsed(address.rpartition(":")[0].strip("[]"))
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if isinstance(found, IPv6Address):
        return str(ip_network((found, IPV6_HOUSE_BITS), strict=False))
    return str(found) if found else ""


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None
