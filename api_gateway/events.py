"""Tells the portal what happened at the gateway: who read what, and who was refused.

An event is written to a journal file before its answer is complete, and sent within two seconds.
While the portal is away, events wait. Those of a gateway that died are sent by the next one that
starts.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api_gateway.portal import PortalActions, Refused, Unreachable
from lake import logs

log = logging.getLogger(__name__)

_INTERVAL_S = 1.0
_BATCH = 500
# Licensed tables are not served without the portal for long, so this many rarely wait.
_MOST_WAITING = 100_000
_PREFIX = "events-"


class Events:
    """The journal of one gateway process, and its sender. Thread-safe."""

    def __init__(self, actions: PortalActions, folder: Path) -> None:
        self._actions = actions
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._waiting: deque[dict[str, Any]] = deque()
        self._adopted = list(_abandoned(folder))
        for file in self._adopted:
            self._waiting.extend(_read(file))
        self._journal = (folder / f"{_PREFIX}{os.getpid()}.jsonl").open("ab")
        self._closing = threading.Event()
        self._sender = threading.Thread(target=self._send_regularly, name="events", daemon=True)
        self._sender.start()

    def record(self, event: dict[str, Any]) -> None:
        """Note an event. Raises OSError when it cannot be written down."""
        line = json.dumps(event, ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self._journal.write(line)
            self._journal.flush()
            self._waiting.append(event)
            if len(self._waiting) > _MOST_WAITING:
                self._waiting.popleft()
                log.error("event_dropped")

    def close(self) -> None:
        """Send what waits; what can't be sent stays for the next start."""
        self._closing.set()
        self._sender.join()
        self._flush()

    def _send_regularly(self) -> None:
        while not self._closing.wait(_INTERVAL_S):
            self._flush()

    def _flush(self) -> None:
        while batch := self._batch():
            try:
                self._actions.call("hanoiic_usage_record", {"events": batch})
            except Unreachable:
                return
            except Refused as refusal:
                # An event that the portal refuses is dropped: it would hold up all others.
                log.error("events_refused", extra=logs.facts(code=refusal.code, count=len(batch)))
            self._forget(len(batch))

    def _batch(self) -> list[dict[str, Any]]:
        with self._lock:
            return [self._waiting[index] for index in range(min(_BATCH, len(self._waiting)))]

    def _forget(self, count: int) -> None:
        with self._lock:
            for _ in range(min(count, len(self._waiting))):
                self._waiting.popleft()
            if not self._waiting:
                self._journal.truncate(0)
                for file in self._adopted:
                    file.unlink(missing_ok=True)
                self._adopted.clear()


def _abandoned(folder: Path) -> Iterator[Path]:
    """Journals of processes that are no more, each taken by one process only."""
    for file in sorted(folder.glob(f"{_PREFIX}*.jsonl")):
        pid = file.stem.removeprefix(_PREFIX).partition("-")[0]
        if Path("/proc", pid).exists() and int(pid) != os.getpid():
            continue
        mine = folder / f"{_PREFIX}{os.getpid()}-of-{pid}.jsonl"
        try:
            file.rename(mine)
        except FileNotFoundError:
            continue
        yield mine


def _read(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            # The last line of a process that died while writing it.
            log.warning("event_cut_off", extra=logs.facts(file=file.name))
