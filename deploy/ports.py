"""Ports: the two public ones are settings, the others are chosen free once and kept."""

from __future__ import annotations

import errno
import json
import socket
from typing import TYPE_CHECKING

from deploy.errors import AddressUnusable, PortInUse
from deploy.home import write_private

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

KEPT = ("postgres", "valkey", "departments", "flight")
LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on the port now."""
    try:
        _bind(port, host)
    except OSError:
        return False
    return True


def demand_free(host: str, port: int, room: str) -> None:
    """Refuse to start where a room, ``PORTAL`` or ``GATEWAY``, can't listen.

    Raises:
        PortInUse: with the port and the setting that changes it.
        AddressUnusable: the host is none of this machine's, or the port is for root.
    """
    try:
        _bind(port, host)
    except PermissionError as error:
        raise AddressUnusable(
            f"Port {port} is for root only; choose one above 1023 with HANOIIC_{room}_PORT."
        ) from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise AddressUnusable(
                f"{host} is no address of this machine; correct HANOIIC_{room}_HOST."
            ) from error
        raise PortInUse(
            f"Port {port} is in use by another program; stop it or choose another port with "
            f"HANOIIC_{room}_PORT={port + 1}."
        ) from error


def _bind(port: int, host: str) -> None:
    """Bind as a server would, and let go. Raises OSError, also for a host without an address."""
    family, kind, _protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def kept(file: Path) -> dict[str, int]:
    """The inner servers' ports of the last start."""
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def kept_ports(file: Path, public: Collection[int] = ()) -> dict[str, int]:
    """The inner servers' ports: those of the last start where still free, else new ones.

    None is one of the ``public`` ones."""
    ports = kept(file)
    for name in KEPT:
        if name not in ports or ports[name] in public or not is_free(ports[name]):
            ports[name] = choose_free({*ports.values(), *public})
    write_private(file, json.dumps(ports, indent=2) + "\n")
    return ports


def choose_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
