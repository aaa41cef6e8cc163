"""A caller's address behind proxies, and who counts as one caller without a token.

`X-Forwarded-For` can be written by anyone: it is read from its end, as far as trusted proxies wrote
it. Without trusted proxies the address is that of the connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# What a provider gives one household or server.
_IPV6_PREFIX = 64


def address(peer: str | None, forwarded: Iterable[str], proxies: tuple[str, ...]) -> str | None:
    """The address that asks, for a connection from `peer` with these `X-Forwarded-For` headers.

    `proxies` are the trusted ones, as networks. Raises ValueError for what is no network.
    """
    trusted = networks(proxies)
    hops = [hop.strip() for header in forwarded for hop in header.split(",")]
    found = peer
    while hops and trusted and _within(found, trusted):
        if (said := _parsed(hops.pop())) is None:
            break
        found = str(said)
    return found


@lru_cache(maxsize=1024)
def group(address: str | None) -> str | None:
    """The address under which requests are counted: of IPv6 the network, as one machine has all."""
    parsed = _parsed(address or "")
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
    return str(parsed) if parsed else address


@lru_cache(maxsize=256)
def networks(proxies: tuple[str, ...]) -> tuple[_Network, ...]:
    """Raises ValueError for what is no network."""
    return tuple(ipaddress.ip_network(each, strict=False) for each in proxies)


def within(address: str | None, named: tuple[str, ...]) -> bool:
    """Whether an address lies in one of the networks."""
    return _within(address, networks(named))


def _within(address: str | None, trusted: tuple[_Network, ...]) -> bool:
    parsed = _parsed(address or "")
    return parsed is not None and any(parsed in network for network in trusted)


def _parsed(text: str) -> _Address | None:
    """`1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1` or `[2001:db8::1]:5678`; IPv4 in IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
