"""Exports: answers too big to wait for. One folder each, on disk, so that they outlive a gateway.

    <folder>/adding             held while one is added
    <folder>/<id>/export.json   what was asked, by whom, and how far it is
    <folder>/<id>/lock          held while a gateway process writes the result
    <folder>/<id>/cancelled     it is to stop
    <folder>/<id>/result        the bytes; `result.part` until they are complete

Any gateway process with the folder takes up what waits, and what a dead process left. The caller's
token is kept encrypted: it is asked again when the export runs.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from api_gateway import forwarded
from api_gateway.errors import Busy, ExportNotFound, ExportsFull, KeyReused, TooManyExports

KEPT_S = 24 * 3600
UNFINISHED = ("queued", "running")
MOST_UNFINISHED = 3
MOST_KEPT = 20
_LATER = {"Retry-After": "3600"}
# Unfinished ones of all callers without a token: one may have many addresses.
MOST_OF_STRANGERS = 30


@dataclass(frozen=True)
class Export:
    """One export. `state`: `queued → running → ready | failed`; times in seconds since 1970."""

    id: str
    owner: str
    body: dict[str, Any]
    tables: tuple[str, ...]
    file_name: str
    reached_at: str
    address: str | None
    request_id: str | None
    token: str | None = None
    # The caller's key for repeating its request, and what it asked, both as digests.
    key: str | None = None
    asked: str = ""
    state: str = "queued"
    created_at: float = field(default_factory=time.time)
    not_before: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    byte_count: int = 0
    row_count: int = 0
    # Whether its limit cut rows off, once it is known.
    truncated: bool | None = None
    receipt: str | None = None
    # The editions of its tables that the query read: whoever may read other ones at the download
    # does not get the result.
    read_editions: dict[str, str | None] | None = None
    attribution: str = ""
    error: dict[str, Any] | None = None

    @property
    def caller(self) -> str:
        """What its caller's exports are counted under: the owner, or without a token the
        address."""
        return self.owner or f"address:{forwarded.group(self.address)}"

    @property
    def expires_at(self) -> float | None:
        return self.finished_at + KEPT_S if self.finished_at else None


@contextmanager
def on_disk() -> Iterator[None]:
    """Inside, a full disk raises ExportsFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportsFull(headers=_LATER) from error
        raise


_FACTS = tuple(each.name for each in fields(Export))


class Exports:
    """The folder of exports. `secret` keeps the tokens in it; `most_bytes` is all it may hold."""

    def __init__(self, folder: Path, secret: str, most_bytes: int) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = hashlib.sha256(b"hanoiic exports\0" + secret.encode()).digest()
        self._cipher = Fernet(base64.urlsafe_b64encode(key))

    def add(self, token: str | None, **facts: Any) -> Export:
        """Add a new export; for a request that is repeated with its `key`, return the first one.

        Raises TooManyExports, Busy, ExportsFull, KeyReused.
        """
        sealed = self._cipher.encrypt(token.encode()).decode() if token else None
        export = Export(id=uuid.uuid4().hex, token=sealed, **facts)
        with self._adding(), on_disk():
            known = self.all()
            if found := self._repeated(export, known):
                return found
            self._require_room(export, known)
            self.path(export.id).mkdir(mode=0o700)
            try:
                self.save(export)
            except OSError:
                self.remove(export.id)
                raise
        return export

    def _repeated(self, export: Export, known: list[Export]) -> Export | None:
        asked = (export.caller, export.key)
        same_key = [each for each in known if export.key and (each.caller, each.key) == asked]
        found = next((each for each in same_key if not self.is_cancelled(each.id)), None)
        if found and found.asked != export.asked:
            raise KeyReused
        return found

    def _require_room(self, export: Export, known: list[Export]) -> None:
        mine = [each for each in known if each.caller == export.caller]
        unfinished = sum(each.state in UNFINISHED for each in mine)
        if unfinished >= MOST_UNFINISHED or len(mine) >= MOST_KEPT:
            raise TooManyExports(
                f"{unfinished} exports of yours are unfinished, {len(mine)} kept",
                headers={"Retry-After": "60"},
                limit=MOST_UNFINISHED if unfinished >= MOST_UNFINISHED else MOST_KEPT,
            )
        strangers = sum(not each.owner and each.state in UNFINISHED for each in known)
        if not export.owner and strangers >= MOST_OF_STRANGERS:
            raise Busy("too many exports without a token wait", headers={"Retry-After": "600"})
        if self.used_bytes() >= self.most_bytes:
            raise ExportsFull(headers=_LATER)

    @contextmanager
    def _adding(self) -> Iterator[None]:
        """Inside, no other process adds an export, so that the limits that were checked still
        hold."""
        with (self.folder / "adding").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def token(self, export: Export) -> str | None:
        """The caller's token."""
        return self._cipher.decrypt(export.token.encode()).decode() if export.token else None

    def of(self, export_id: str, owner: str) -> Export:
        """A caller's export. Raises ExportNotFound."""
        export = self._read(export_id) if export_id.isalnum() and export_id.isascii() else None
        if export is None or export.owner != owner or self.is_cancelled(export_id):
            raise ExportNotFound(f"no export {export_id[:64]} of yours")
        return export

    def all(self) -> list[Export]:
        """Every export, the oldest first."""
        found = (self._read(each.name) for each in self.folder.iterdir() if each.is_dir())
        return sorted((each for each in found if each), key=lambda each: each.created_at)

    def in_turn(self) -> list[Export]:
        """The exports to be made now, in their order: each caller's oldest before anybody's second;
        of equals those with a token first, then the oldest."""
        now, before = time.time(), Counter[str]()
        due = []
        for export in self.all():
            if export.state in UNFINISHED and export.not_before <= now:
                due.append((before[export.caller], not export.owner, export.created_at, export))
                before[export.caller] += 1
        return [export for *_, export in sorted(due, key=lambda each: each[:3])]

    def save(self, export: Export) -> None:
        """Write an export down, whole or not at all. One that was removed meanwhile stays
        removed."""
        path = self.path(export.id) / "export.json"
        unfinished = path.with_suffix(".part")
        with suppress(FileNotFoundError):
            unfinished.write_text(json.dumps(asdict(export), ensure_ascii=False), "utf-8")
            unfinished.replace(path)

    def change(self, export: Export, **facts: Any) -> Export:
        """`export` with other facts, written down."""
        changed = replace(export, **facts)
        self.save(changed)
        return changed

    def cancel(self, export: Export) -> None:
        """Have an export stop, and remove it unless a process is making it."""
        with suppress(FileNotFoundError):
            (self.path(export.id) / "cancelled").touch()
        with self.held(export.id) as mine:
            if mine:
                self.remove(export.id)

    def is_cancelled(self, export_id: str) -> bool:
        return (self.path(export_id) / "cancelled").exists()

    def remove(self, export_id: str) -> None:
        shutil.rmtree(self.path(export_id), ignore_errors=True)

    def used_bytes(self) -> int:
        """The disk that all results take together."""
        used = 0
        for each in self.folder.glob("*/result*"):
            with suppress(FileNotFoundError):
                used += each.stat().st_size
        return used

    @contextmanager
    def held(self, export_id: str) -> Iterator[bool]:
        """Whether this process may work on an export; if so, no other one does inside. A process
        that dies lets go."""
        try:
            descriptor = os.open(self.path(export_id) / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)

    def path(self, export_id: str) -> Path:
        return self.folder / export_id

    def _read(self, export_id: str) -> Export | None:
        try:
            said = json.loads((self.path(export_id) / "export.json").read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        # Another version of the gateway may have written more members: they are passed over.
        known = {name: said[name] for name in _FACTS if name in said}
        return Export(**{**known, "tables": tuple(said["tables"])})
