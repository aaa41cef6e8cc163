"""The demo departments' settings: ``HANOIIC_*``, read once at the entry point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lake.settings import setting


@dataclass(frozen=True)
class Settings:
    """Where the demo departments keep and find what they serve."""

    departments_dir: Path = setting(doc="folder where the departments note how far they are")
    demo_data: Path | None = setting(
        None, doc="folder of real files, one subfolder a department, served as well"
    )
    log_level: str = setting("INFO", doc="DEBUG, INFO, WARNING or ERROR")
