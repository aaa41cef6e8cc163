"""The report of a run: its stages with counts and messages, its datasets and tables, its rejected
rows, and what waits for an officer.

The stage words are those of the pipeline, the console and the tests. The report may be read by
another thread while the run goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

from harvesters.errors import DataRefused, HarvestError
from harvesters.passages import STAGES, UNCHANGED, URGENCY, DatasetPart, Passage, Stage, add
from lake import logs
from lake.rejected import Rejected

log = logging.getLogger(__name__)

SHOWN_REJECTED = 100
# Of datasets to which nothing happened a few say enough: all are counted.
SHOWN_DATASETS, SHOWN_UNCHANGED = 2000, 200

PUBLISHED, HELD = "published", "held"
REFUSED, FAILED = "refused", "failed"


class Report:
    """What happened so far; `on_change` is called where a stage begins and where it ends.

    What `on_change` raises ends the run there. `keep_rejected` is given every rejected row.
    """

    def __init__(
        self,
        on_change: Callable[[Report], None] | None = None,
        keep_rejected: Callable[[str, Iterable[Rejected]], None] | None = None,
    ) -> None:
        self.stages = {name: Stage(name) for name in STAGES}
        self.tables: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self.holds: list[dict[str, Any]] = []
        self._datasets: dict[str, list[DatasetPart]] = {state: [] for state in URGENCY}
        self._unchanged: set[str] = set()
        self._on_change = on_change
        self._keep_rejected = keep_rejected
        self._lock = threading.RLock()
        self._here = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[Passage]:
        """Work on one stage: its state and duration are kept, a failure leaves its sentence."""
        stage = self.stages[name]
        with self._lock:
            stage.state = "running"
            stage.started_at = stage.started_at or _now()
        log.debug("stage_started", extra=logs.facts(stage=name))
        self._changed()
        passage, started, ended = Passage(stage, self._lock), time.monotonic(), "failed"
        try:
            yield passage
            ended = "done"
        except HarvestError as error:
            passage.say(error.detail)
            raise
        finally:
            took_s = time.monotonic() - started - passage.idle_s
            with self._lock:
                stage.state = ended
                stage.duration_s = round(stage.duration_s + took_s, 3)
                if part := self._part():
                    part.passed(name, took_s, passage.counts)
        self._changed()

    @contextmanager
    def dataset(self, identifier: str, name: str) -> Iterator[DatasetPart]:
        """Work on one dataset: stages that this thread passes meanwhile are its stages too."""
        part = DatasetPart(identifier, name)
        self._here.part, started = part, time.monotonic()
        try:
            yield part
        except HarvestError as error:
            part.state, part.error = ending(error), problem(error)
            raise
        finally:
            self._here.part = None
            part.duration_s = round(time.monotonic() - started, 3)
            self.add_dataset(part)

    def add_dataset(self, part: DatasetPart) -> None:
        """Tell of a dataset. What is told later of an unchanged one takes the place of that."""
        counts = self.stages["register"].counts
        with self._lock:
            if part.identifier in self._unchanged:
                self._unchanged.remove(part.identifier)
                unchanged = self._datasets[UNCHANGED]
                unchanged[:] = [one for one in unchanged if one.identifier != part.identifier]
                counts["datasets_unchanged"] -= 1
            add(counts, {f"datasets_{part.state}": 1})
            if part.state == UNCHANGED:
                self._unchanged.add(part.identifier)
            kept = self._datasets[part.state]
            if len(kept) < (SHOWN_UNCHANGED if part.state == UNCHANGED else SHOWN_DATASETS):
                kept.append(part)

    def note(self, stage: str, *messages: str, **counts: int) -> None:
        """Say and count something of a stage, whoever is in it."""
        with self._lock:
            self.stages[stage].say(*messages)
            self.stages[stage].count(**counts)

    def arrange(self, seen: Mapping[str, tuple[str, str] | None]) -> None:
        """Put datasets and tables in the order in which the source has the datasets: identifier →
        (dataset id, name), or None. A few of them were worked on at once."""
        places = {identifier: place for place, identifier in enumerate(seen)}
        of_dataset = {
            key: places[identifier] for identifier, keys in seen.items() if keys for key in keys
        }
        last = len(places)
        with self._lock:
            for parts in self._datasets.values():
                parts.sort(key=lambda part: places.get(part.identifier, last))
            self.tables.sort(key=lambda row: of_dataset.get(row["dataset"], last))

    def include(self, other: Report) -> None:
        """Add what another report has of the stages: their times, counts and messages."""
        with self._lock:
            for name, more in other.stages.items():
                stage = self.stages[name]
                if more.state == "pending":
                    continue
                stage.state = more.state
                stage.started_at = stage.started_at or more.started_at
                stage.duration_s = round(stage.duration_s + more.duration_s, 3)
                stage.count(**more.counts)
                stage.say(*more.messages)
                if part := self._part():
                    part.passed(name, more.duration_s, more.counts)

    def close(self) -> None:
        """At the end of a run that went through: what was not needed was skipped, and what failed
        for some datasets of a catalogue has said so in its messages."""
        ended = {"pending": "skipped", "failed": "done"}
        with self._lock:
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
        row = {
            "table": table,
            "dataset": dataset,
            "version": version,
            "changed": changed,
            "row_count": row_count,
            "rejected_count": rejected_count,
        }
        with self._lock:
            self.tables.append(row)

    def add_rejected(self, table: str, rejected: Iterable[Rejected]) -> None:
        for row in rejected:
            with self._lock:
                if len(self.rejected) >= SHOWN_REJECTED:
                    return
                self.rejected.append({"table": table, **asdict(row)})

    def keep_rejected(self, table: str, rejected: Iterable[Rejected]) -> None:
        """Have all rejected rows of a table kept, where the run has a place for them."""
        if self._keep_rejected:
            self._keep_rejected(table, rejected)

    def add_hold(self, hold: Any) -> None:
        """A finding that waits for an officer (`harvesters.holds.Hold`)."""
        with self._lock:
            self.holds.append(asdict(hold))

    @property
    def outcome(self) -> str:
        """`held` when something waits for an officer, `published` when a table got a new version,
        else `unchanged`."""
        if self.holds:
            return HELD
        return PUBLISHED if any(table["changed"] for table in self.tables) else UNCHANGED

    def datasets(self, most: int = SHOWN_DATASETS) -> list[dict[str, Any]]:
        """At most so many datasets, in the order of `URGENCY`."""
        with self._lock:
            parts = chain.from_iterable(self._datasets.values())
            return [asdict(part) for part in islice(parts, most)]

    def as_dict(self, most_datasets: int = SHOWN_DATASETS) -> dict[str, Any]:
        """The report as `hanoiic_run_update` takes it."""
        with self._lock:
            return {
                "stages": [asdict(stage) for stage in self.stages.values()],
                "datasets": self.datasets(most_datasets),
                "tables": [dict(table) for table in self.tables],
                "rejected": list(self.rejected),
                "holds": list(self.holds),
            }

    def _part(self) -> DatasetPart | None:
        return getattr(self._here, "part", None)

    def _changed(self) -> None:
        if self._on_change:
            self._on_change(self)


def ending(error: HarvestError) -> str:
    """The state of a run that an error ended."""
    return REFUSED if isinstance(error, DataRefused) else FAILED


def problem(error: HarvestError) -> dict[str, Any]:
    """An error as a report carries it: `source_id` is the other source that it is about."""
    other = error.facts.get("source_id")
    told = {"code": error.code, "detail": error.detail}
    return {**told, "source_id": other} if other else told


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
