"""What one run may fetch and how long it may take, over all of its files."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock

from harvesters.errors import SourceTooLarge, SourceTooSlow


@dataclass(frozen=True)
class RunCaps:
    """The most bytes and seconds of one run. Single downloads have caps of their own
    (`FetchLimits`)."""

    total_bytes: int = 100 << 30
    total_s: float = 12 * 3600.0


@dataclass
class Allowance:
    """What is left of a run's caps. Thread-safe."""

    caps: RunCaps
    begun_s: float = field(default_factory=time.monotonic)
    fetched_bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def spend(self, byte_count: int) -> None:
        with self._lock:
            self.fetched_bytes += byte_count

    def check(self) -> None:
        """Raises SourceTooLarge or SourceTooSlow when a cap is reached. What was published stays,
        and the next run gets further, since unchanged files cost little."""
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
