"""Files of a lake that lies elsewhere (S3), kept on this machine while they are read.

Query processes have no network: what they may read is a local file. Files of the lake never change,
so a copy is good as long as it is there. The least recently used go when the folder is full; one
that was used a moment ago may be open in a process, and stays.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pyarrow.fs

from api_gateway.errors import Busy
from lake import logs

log = logging.getLogger(__name__)

# Longer than a query, and than a process is used.
_IN_USE_S = 1800.0
_PIECE_BYTES = 1 << 20
_UNFINISHED = ".part"


class Stage:
    """At most `most_bytes` of copies in `folder`, which several processes may share."""

    def __init__(self, fs: pyarrow.fs.FileSystem, folder: Path, most_bytes: int) -> None:
        self._fs, self._folder, self._most_bytes = fs, folder, most_bytes
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._making_room = threading.Lock()
        # Query processes may be another user: they pass through, and list nothing.
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        for left in folder.glob(f"*{_UNFINISHED}"):
            if time.time() - left.stat().st_mtime > _IN_USE_S:
                left.unlink(missing_ok=True)

    def local(self, path: str, content: str) -> Path:
        """The copy of the file at `path` of the lake. `content` names what is in it: the same name,
        the same bytes. Raises Busy when no room can be made."""
        name = hashlib.sha256(f"{path}\n{content}".encode()).hexdigest()[:40]
        kept = self._folder / f"{name}.parquet"
        with self._turns[name]:
            try:
                os.utime(kept)
            except FileNotFoundError:
                self._fetch(path, kept)
        return kept

    def _fetch(self, path: str, kept: Path) -> None:
        byte_count = int(self._fs.get_file_info(path).size or 0)
        with self._making_room:
            self._make_room(byte_count)
            unfinished = kept.with_name(f"{uuid.uuid4().hex}{_UNFINISHED}")
            # The room is taken before the bytes come, so that nobody else takes it too.
            with unfinished.open("wb") as target:
                target.truncate(byte_count)
        begun = time.monotonic()
        try:
            with self._fs.open_input_stream(path) as source, unfinished.open("r+b") as target:
                shutil.copyfileobj(source, target, _PIECE_BYTES)
                target.truncate()
            unfinished.chmod(0o644)
            unfinished.replace(kept)
        finally:
            unfinished.unlink(missing_ok=True)
        log.info(
            "file_staged",
            extra=logs.facts(bytes=byte_count, duration_s=round(time.monotonic() - begun, 3)),
        )

    def _make_room(self, byte_count: int) -> None:
        files = sorted(
            ((file, file.stat()) for file in self._files()), key=lambda each: each[1].st_mtime
        )
        held = sum(stat.st_size for _, stat in files)
        for file, stat in files:
            if held + byte_count <= self._most_bytes:
                return
            if file.suffix != _UNFINISHED and time.time() - stat.st_mtime > _IN_USE_S:
                file.unlink(missing_ok=True)
                held -= stat.st_size
        if held + byte_count > self._most_bytes:
            log.warning("stage_full", extra=logs.facts(held_bytes=held, wanted_bytes=byte_count))
            raise Busy(
                "the copies of the lake's files in use leave no room", headers={"Retry-After": "60"}
            )

    def _files(self) -> Iterable[Path]:
        return (each for each in self._folder.iterdir() if each.is_file())
