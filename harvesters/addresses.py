"""Where the harvester may go: addresses of the public Internet, and hosts the operator allowed.

The guard sits where a connection is made: the host's name is resolved once, every address is
checked, and the socket connects to a checked address. So neither a redirect nor a second answer of
the DNS leads anywhere else.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from harvesters.errors import AddressForbidden, UrlRefused

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check_url(url: str) -> None:
    """Raises UrlRefused for anything but http(s) without credentials in it."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (it parses, and raises)
    except ValueError as error:
        raise UrlRefused("The address is not a URL.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UrlRefused("Only http and https addresses are harvested.")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("The address carries a user name or a password; take them out.")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet at large, also when wrapped in IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is None and ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def connect(
    connection: HTTPConnection, allowed_hosts: frozenset[str], timeout_s: float
) -> socket.socket:
    """A socket to the connection's host, if it may be gone to: `allowed_hosts` (`host` or
    `host:port`) may have private addresses.

    Raises AddressForbidden, and urllib3's errors for what can't be reached.
    """
    host, port = connection.host.strip("[]").lower(), connection.port
    try:
        found = resolved(host, port, allowed_hosts)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(
            host, connection, error if isinstance(error, socket.gaierror) else socket.gaierror()
        ) from error
    try:
        return connected(found, timeout_s)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"{host} does not answer") from error
    except OSError as error:
        raise NewConnectionError(connection, f"no connection to {host}") from error


Address = tuple[Any, ...]


def resolved(host: str, port: int, allowed_hosts: frozenset[str]) -> list[Address]:
    """The addresses of a host, all of them such that it may be gone to, as `getaddrinfo` gives
    them. Raises AddressForbidden, OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = bool({host, f"{host}:{port}"} & allowed_hosts)
    if not allowed and not all(is_public(str(address[4][0])) for address in found):
        raise AddressForbidden(
            f"{host} has a private or local address; the operator may allow it in "
            "HANOIIC_HARVEST_ALLOWED_HOSTS.",
            host=host,
        )
    return list(found)


def connected(found: list[Address], timeout_s: float) -> socket.socket:
    """A socket to the first of the addresses that answers. Raises OSError."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(timeout_s)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise failure or OSError("no address")
