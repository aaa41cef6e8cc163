"""Tables that are asked for often, in DuckDB's own storage, which it reads in half the time.

A lake's Parquet is decoded anew by every query. A table version (or edition) that was asked for a
few times is written once as a DuckDB database of up to twice the size, by a query process: in its
sandbox, behind all others. Queries read it from then on. Files of the lake never change, so what
was made of them stays right; it goes when nobody used it for a day, or to make room.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import duckdb

from api_gateway import frames, kept, metrics
from api_gateway.engine import Source
from api_gateway.errors import GatewayError
from api_gateway.nursery import Nursery
from api_gateway.process import Process
from lake import logs

log = logging.getLogger(__name__)

# A table is made hot when it is asked for so many times: making it takes as long as these queries.
_ASKED = 3
# One table takes at most a fourth of the room.
_SHARE = 4
# So much of the disk stays free for those who can't do without.
LEAST_FREE_BYTES = 2 * 2**30
# While it is made a table is on the disk twice, and takes up to twice what the lake's files do.
_TIMES_ON_DISK = 4
_KEPT_S = 86_400.0
_SWEEP_EVERY_S = 3600.0
_TOUCH_EVERY_S = 60.0
_MAKE_S = 1800.0
_MOST_REMEMBERED = 4096


@dataclass
class _Table:
    """What is known of one source: how often it was asked for, and what is read instead of it."""

    asked: int = 0
    hot: Source | None = None
    touched_at: float = 0.0


class HotTables:
    """At most `most_bytes` of databases in `folder`, which several gateways may share; 0: none."""

    def __init__(self, nursery: Nursery, folder: Path, most_bytes: int) -> None:
        self._nursery, self._folder, self._most_bytes = nursery, folder, most_bytes
        self._lock = threading.Lock()
        self._tables: OrderedDict[Source, _Table] = OrderedDict()
        self._swept_at = time.monotonic()
        self._maker = ThreadPoolExecutor(1, "hot")
        if most_bytes:
            kept.own(folder)
            self._sweep()

    def find(self, source: Source) -> Source:
        """The source as it is read fastest now: hot if it is. Counts that it was asked for."""
        if not self._most_bytes:
            return source
        now = time.monotonic()
        with self._lock:
            table = self._tables.setdefault(source, _Table())
            self._tables.move_to_end(source)
            if len(self._tables) > _MOST_REMEMBERED:
                self._tables.popitem(last=False)
            table.asked += 1
            if table.asked == 1 or (table.hot and now - table.touched_at > _TOUCH_EVERY_S):
                # Made before this process was, or gone meanwhile: then asked for anew.
                table.hot, table.touched_at, table.asked = self._found(source), now, 1
            make = table.asked == _ASKED and not table.hot
            if sweep := now - self._swept_at > _SWEEP_EVERY_S:
                self._swept_at = now
            hot = table.hot
        if make:
            self._maker.submit(self._make, source, table)
        if sweep:
            self._maker.submit(self._sweep)
        metrics.looked_up("hot", hit=hot is not None)
        return hot or source

    def forget(self, sources: Iterable[Source]) -> None:
        """Read the lake's files again instead of what is hot of these: it cannot be read."""
        for source in sources:
            if source.hot is None:
                continue
            log.warning("hot_forgotten", extra=logs.facts(table=source.table))
            Path(source.hot).unlink(missing_ok=True)
            with self._lock:
                self._tables.pop(replace(source, hot=None), None)

    def close(self, *, wait: bool = False) -> None:
        """Make no further table; `wait`: until the one that is being made is done."""
        self._maker.shutdown(wait=wait, cancel_futures=not wait)

    def _found(self, source: Source) -> Source | None:
        path = self._path(source)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return replace(source, hot=str(path))

    def _path(self, source: Source) -> Path:
        # The version is part of the name: another DuckDB may write another format.
        of = json.dumps([duckdb.__version__, source.files, source.times])
        return self._folder / f"{hashlib.sha256(of.encode()).hexdigest()[:40]}.duckdb"

    def _make(self, source: Source, table: _Table) -> None:
        begun = time.monotonic()
        try:
            byte_count = self._write(source)
        except FileExistsError:
            # Another gateway process is writing it: look for it again when it is asked for again.
            table.asked = 0
            return
        except (GatewayError, OSError) as error:
            facts = logs.facts(table=source.table, error=type(error).__qualname__)
            log.warning("hot_not_made", extra=facts)
            return
        with self._lock:
            table.hot, table.touched_at = self._found(source), time.monotonic()
        taken_s = round(time.monotonic() - begun, 3)
        facts = logs.facts(table=source.table, bytes=byte_count, duration_s=taken_s)
        log.info("hot_made" if table.hot else "hot_without_room", extra=facts)

    def _write(self, source: Source) -> int:
        """Write the database of a source, unless it is there or too large; returns its
        bytes. Raises FileExistsError when another process is writing it, OSError, WorkerDied."""
        path, most_bytes = self._path(source), self._most_bytes // _SHARE
        if path.exists():
            return path.stat().st_size
        byte_count = sum(Path(file).stat().st_size for file in source.files)
        free = shutil.disk_usage(self._folder).free - _TIMES_ON_DISK * byte_count
        if byte_count > most_bytes or free < LEAST_FREE_BYTES:
            return byte_count
        unfinished = path.with_suffix(kept.UNFINISHED)
        with unfinished.open("xb") as target:
            try:
                process = self._nursery.spawn()
                try:
                    process.ask({"kind": "store", "source": vars(source)})
                    byte_count = json.loads(process.receive(_MAKE_S)[1])["bytes"]
                    if byte_count > most_bytes or not self._has_room(byte_count):
                        return int(byte_count)
                    _receive(process, target)
                finally:
                    process.kill()
                os.fchmod(target.fileno(), 0o644)
                # Half a file with this name would be worse than none.
                target.flush()
                os.fsync(target.fileno())
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
        return int(byte_count)

    def _has_room(self, byte_count: int) -> bool:
        return kept.make_room(self._folder, byte_count, self._most_bytes)

    def _sweep(self) -> None:
        kept.forget(self._folder, _KEPT_S)


def _receive(process: Process, target: IO[bytes]) -> None:
    while True:
        kind, payload = process.receive(_MAKE_S)
        if kind == frames.END:
            return
        target.write(payload)
