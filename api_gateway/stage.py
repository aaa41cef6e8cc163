"""Local copies of a remote lake's files (S3).

Query processes have no network, so they need local files. Files of the lake never change, so a copy
never gets old. When the folder is full the least recently used copies are removed, but none that
was used a moment ago: a process may have it open.
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
from pathlib import Path

import pyarrow.fs

from api_gateway import kept
from api_gateway.errors import Busy
from lake import logs

log = logging.getLogger(__name__)

_PIECE_BYTES = 1 << 20


class Stage:
    """At most `most_bytes` of copies in `folder`, which several processes may share."""

    def __init__(self, fs: pyarrow.fs.FileSystem, folder: Path, most_bytes: int) -> None:
        self._fs, self._folder, self._most_bytes = fs, folder, most_bytes
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._making_room = threading.Lock()
        kept.own(folder)

    def local(self, path: str, content: str) -> Path:
        """The copy of the file at `path` of the lake. `content` names what is in it: the same name,
        the same bytes. Raises Busy when no room can be made."""
        name = hashlib.sha256(f"{path}\n{content}".encode()).hexdigest()[:40]
        local = self._folder / f"{name}.parquet"
        with self._turns[name]:
            try:
                os.utime(local)
            except FileNotFoundError:
                self._fetch(path, local)
        return local

    def _fetch(self, path: str, target: Path) -> None:
        byte_count = int(self._fs.get_file_info(path).size or 0)
        with self._making_room:
            if not kept.make_room(self._folder, byte_count, self._most_bytes):
                log.warning("stage_full", extra=logs.facts(wanted_bytes=byte_count))
                raise Busy(
                    "the copies of the lake's files in use leave no room",
                    headers={"Retry-After": "60"},
                )
            unfinished = target.with_name(f"{uuid.uuid4().hex}{kept.UNFINISHED}")
            # The room is taken before the bytes come, so that nobody else takes it too.
            with unfinished.open("wb") as made:
                made.truncate(byte_count)
        begun = time.monotonic()
        try:
            with self._fs.open_input_stream(path) as source, unfinished.open("r+b") as made:
                shutil.copyfileobj(source, made, _PIECE_BYTES)
                made.truncate()
            unfinished.chmod(0o644)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        log.info(
            "file_staged",
            extra=logs.facts(bytes=byte_count, duration_s=round(time.monotonic() - begun, 3)),
        )
