"""Signed checkpoints of the audit: one JWS a line in a file outside of the database.

Each says which hash the newest entry had (EdDSA with Ed25519, RFC 8037), and names the checkpoint
before it by its hash, so that one in the middle can't be taken out. Copy the file to another
machine from time to time: what it says can't be taken back there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
from ckanext.hanoiic.licensing import signing
from ckanext.hanoiic.licensing.chain import Checkpoint

TYPE = "hanoiic-audit-checkpoint"


class CheckpointBroken(Exception):
    """A checkpoint that was not signed by this key, or doesn't follow the one before it."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"checkpoint in line {line}: {why}")
        self.line = line


def read(file: Path, key: signing.PublicKey) -> list[Checkpoint]:
    """The checkpoints of a file, in order; none of a file that isn't there.

    Raises :class:`CheckpointBroken`.
    """
    found: list[Checkpoint] = []
    before = None
    for number, line in enumerate(_lines(file), start=1):
        try:
            told: dict[str, Any] = jwt.decode(
                line, key, algorithms=["EdDSA"], options={"verify_iat": False}
            )
        except jwt.InvalidTokenError:
            raise CheckpointBroken(number, "its signature is not of this key") from None
        if told.get("typ") != TYPE or told["previous"] != before:
            raise CheckpointBroken(number, "it doesn't follow the one before it")
        if found and told["number"] <= found[-1].number:
            raise CheckpointBroken(number, "it is about an entry before the last one's")
        found.append(Checkpoint(int(told["number"]), str(told["hash"])))
        before = _digest(line)
    return found


def write(
    file: Path, key: signing.PrivateKey, number: int, entry_hash: bytes, at: datetime
) -> bool:
    """Add a checkpoint of the newest entry; False when the last one is about it already."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("ab") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        # What a crash or a full disk left of a line was never signed for anyone.
        out.truncate(_whole(file.read_bytes()))
        lines = _lines(file)
        if lines and _unverified(lines[-1])["number"] >= number:
            return False
        told = {
            "typ": TYPE,
            "number": number,
            "hash": entry_hash.hex(),
            "iat": int(at.timestamp()),
            "previous": _digest(lines[-1]) if lines else None,
        }
        signed = jwt.encode(
            told, key, algorithm="EdDSA", headers={"kid": signing.key_id(key.public_key())}
        )
        out.write(signed.encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return True


def _lines(file: Path) -> list[str]:
    """The whole lines; what is not ASCII stays in sight, and is of no key."""
    written = file.read_bytes() if file.exists() else b""
    return written[: _whole(written)].decode("ascii", "backslashreplace").split()


def _whole(written: bytes) -> int:
    """The length of the lines that have their end."""
    return written.rfind(b"\n") + 1


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def _unverified(line: str) -> dict[str, Any]:
    return jwt.decode(line, options={"verify_signature": False})
