"""Ports: the two public ones are settings, the others are chosen free once and kept."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from deploy.errors import PortInUse
from deploy.home import write_private

if TYPE_CHECKING:
    from pathlib import Path

KEPT = ("postgres", "valkey", "departments", "flight")
LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback's ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def demand_free(port: int, setting: str) -> None:
    """Refuse to start on a port that somebody else holds.

    Raises:
        PortInUse: with the port and the setting that changes it.
    """
    if not is_free(port):
        raise PortInUse(
            f"Port {port} is in use by another program; stop it or choose another port with "
            f"{setting}={port + 1}."
        )


def kept(file: Path) -> dict[str, int]:
    """The inner servers' ports of the last start."""
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def kept_ports(file: Path) -> dict[str, int]:
    """The inner servers' ports: those of the last start where still free, else new ones."""
    ports = kept(file)
    for name in KEPT:
        if name not in ports or not is_free(ports[name]):
            ports[name] = choose_free(set(ports.values()))
    write_private(file, json.dumps(ports, indent=2) + "\n")
    return ports


def choose_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
