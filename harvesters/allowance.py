"""What one run may fetch and how long it may take, over all of its files."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock

from harvesters.errors import SourceTooLarge, SourceTooSlow


@dataclass(frozen=True)
class RunCaps:
    """A download and an API's pages have caps of their own (`FetchLimits`)."""

    total_bytes: int = 100 << 30
    total_s: float = 12 * 3600.0


@dataclass
class Allowance:
    """What is left of a run's caps. Threads may share it."""

    caps: RunCaps
    begun_s: float = field(default_factory=time.monotonic)
    fetched_bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def spend(self, byte_count: int) -> None:
        with self._lock:
            self.fetched_bytes += byte_count

    def check(self) -> None:
        """Raises SourceTooLarge, SourceTooSlow. What was published stays; the next run takes up
        from there, since what did not change costs little."""
        if self.fetched_bytes > self.caps.total_bytes:
            raise SourceTooLarge(
                f"The files of the source are over {self.caps.total_bytes >> 20} MiB together; the "
                "run ended there. Take a part of it, or raise HANOIIC_HARVEST_RUN_GIB."
            )
        if time.monotonic() - self.begun_s > self.caps.total_s:
            raise SourceTooSlow(
                f"The run took over {self.caps.total_s / 3600:g} hours and was ended; the next one "
                "goes on from there. Take a part of the source, or raise HANOIIC_HARVEST_RUN_HOURS."
            )
