"""The parts of a report: stages, and what a run did to one dataset on its way through them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

STAGES = ("fetch", "decode", "normalise", "validate", "publish", "register")
SHOWN_MESSAGES = 50
# What a dataset is until something happens to it.
UNCHANGED = "unchanged"
# In which order datasets are told of: what went wrong or waits first, what stayed as it was last.
URGENCY = ("failed", "refused", "held", "missing", "archived", "restored", "published", UNCHANGED)


@dataclass
class Stage:
    """One stage of a run. A catalogue passes it once a dataset: its times and counts add up."""

    stage: str
    state: str = "pending"
    started_at: str | None = None
    duration_s: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def count(self, **named: int) -> None:
        add(self.counts, named)

    def say(self, *messages: str) -> None:
        room = SHOWN_MESSAGES - len(self.messages)
        self.messages.extend(messages[: max(0, room)])


@dataclass
class DatasetPart:
    """What a run did to one dataset; `stages` are those it passed, in seconds and counts."""

    identifier: str
    dataset: str
    state: str = UNCHANGED
    duration_s: float = 0.0
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    def passed(self, stage: str, duration_s: float, counts: dict[str, int]) -> None:
        part = self.stages.setdefault(stage, {"duration_s": 0.0, "counts": {}})
        part["duration_s"] = round(part["duration_s"] + duration_s, 3)
        add(part["counts"], counts)


class Passage:
    """One pass of a dataset through a stage: what it counts and says is the stage's."""

    def __init__(self, stage: Stage, lock: threading.RLock) -> None:
        self.counts: dict[str, int] = {}
        # Waiting for others to be done is no part of the stage's duration.
        self.idle_s = 0.0
        self._stage = stage
        self._lock = lock

    def count(self, **named: int) -> None:
        add(self.counts, named)
        with self._lock:
            self._stage.count(**named)

    def say(self, *messages: str) -> None:
        with self._lock:
            self._stage.say(*messages)


def add(counts: dict[str, int], more: dict[str, int]) -> None:
    """Add counts to counts of the same names."""
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number
