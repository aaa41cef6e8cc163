"""The report of a run: its stages with counts and messages, its tables, its rejected rows.

The stage words are those of the pipeline, the console and the tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from harvesters.errors import DataRefused, HarvestError
from lake.rejected import Rejected

STAGES = ("fetch", "decode", "normalise", "validate", "publish", "register")
SHOWN_REJECTED = 100
SHOWN_MESSAGES = 50

PUBLISHED, UNCHANGED, REFUSED, FAILED = "published", "unchanged", "refused", "failed"


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
        for name, number in named.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def say(self, *messages: str) -> None:
        room = SHOWN_MESSAGES - len(self.messages)
        self.messages.extend(messages[: max(0, room)])


class Report:
    """What happened so far; `on_change` is told after every stage."""

    def __init__(self, on_change: Callable[[Report], None] | None = None) -> None:
        self.stages = {name: Stage(name) for name in STAGES}
        self.tables: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self._on_change = on_change

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Work on one stage: its state and duration are kept, a failure leaves its sentence."""
        stage = self.stages[name]
        stage.state = "running"
        stage.started_at = stage.started_at or datetime.now(UTC).isoformat(timespec="milliseconds")
        started = time.monotonic()
        try:
            yield stage
        except BaseException as error:
            stage.state = "failed"
            if isinstance(error, HarvestError):
                stage.say(error.detail)
            raise
        else:
            stage.state = "done"
        finally:
            stage.duration_s = round(stage.duration_s + time.monotonic() - started, 3)
            if self._on_change and stage.state == "done":
                self._on_change(self)

    def close(self) -> None:
        """At the end of a run that went through: what was not needed was skipped, and what failed
        for some datasets of a catalogue has said so in its messages."""
        ended = {"pending": "skipped", "failed": "done"}
        for stage in self.stages.values():
            stage.state = ended.get(stage.state, stage.state)

    def add_table(
        self,
        table: str,
        *,
        dataset: str | None,
        version: int | None,
        changed: bool,
        row_count: int,
        rejected_count: int,
    ) -> None:
        self.tables.append(
            {
                "table": table,
                "dataset": dataset,
                "version": version,
                "changed": changed,
                "row_count": row_count,
                "rejected_count": rejected_count,
            }
        )

    def add_rejected(self, table: str, rejected: Iterable[Rejected]) -> None:
        for row in rejected:
            if len(self.rejected) >= SHOWN_REJECTED:
                return
            self.rejected.append({"table": table, **asdict(row)})

    @property
    def outcome(self) -> str:
        """`published` when a table got a new version, else `unchanged`."""
        return PUBLISHED if any(table["changed"] for table in self.tables) else UNCHANGED

    def as_dict(self) -> dict[str, Any]:
        """The report as `hanoiic_run_update` takes it."""
        return {
            "stages": [asdict(stage) for stage in self.stages.values()],
            "tables": self.tables,
            "rejected": self.rejected,
        }


def ending(error: HarvestError) -> str:
    """The state of a run that an error ended."""
    return REFUSED if isinstance(error, DataRefused) else FAILED
