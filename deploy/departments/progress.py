"""How far each department has been advanced: one small file that survives restarts."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path


class Progress:
    """Steps by department, kept in `folder`; safe for several threads and processes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "progress.json"
        self._lock = folder / "progress.lock"

    def steps(self, department: str) -> int:
        return self._read().get(department, 0)

    def advance(self, department: str, by: int) -> int:
        """Go `by` steps further and return how far the department is now."""
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            steps = self._read()
            steps[department] = steps.get(department, 0) + by
            unfinished = self._file.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(steps), encoding="utf-8")
            unfinished.replace(self._file)
        return steps[department]

    def _read(self) -> dict[str, int]:
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
