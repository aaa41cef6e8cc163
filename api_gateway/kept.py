"""Folders of files that can be made again: the least recently used go when room is wanted."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

from lake.errors import BadSetting

# Longer than a query, and than a process is used: what was used since may be open in one.
IN_USE_S = 1800.0
UNFINISHED = ".part"


def own(folder: Path) -> None:
    """Make a folder for files that query processes read, and forget what was left unfinished.

    Raises BadSetting for one that somebody else could put files into.
    """
    # Query processes may be another user: they pass through, and list nothing.
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    stat = folder.stat()
    if stat.st_uid != os.geteuid() or stat.st_mode & 0o022:
        raise BadSetting(
            f"HANOIIC_GATEWAY_CACHE_DIR: {folder} belongs to another user or can be written by "
            "others; name another folder, or remove it."
        )
    forget(folder, math.inf)


def make_room(folder: Path, byte_count: int, most_bytes: int) -> bool:
    """Whether `folder` has room for so many bytes more, of `most_bytes`, once files that nobody
    used lately are gone as far as needed."""
    files = sorted(_files(folder), key=lambda each: each[1].st_mtime)
    held = sum(stat.st_size for _, stat in files)
    for file, stat in files:
        if held + byte_count <= most_bytes:
            break
        if file.suffix != UNFINISHED and time.time() - stat.st_mtime > IN_USE_S:
            file.unlink(missing_ok=True)
            held -= stat.st_size
    return held + byte_count <= most_bytes


def forget(folder: Path, unused_s: float) -> None:
    """Remove what nobody used for so long, and what was left unfinished."""
    for file, stat in _files(folder):
        most_s = IN_USE_S if file.suffix == UNFINISHED else unused_s
        if time.time() - stat.st_mtime > most_s:
            file.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for file in folder.iterdir():
        try:
            stat = file.stat()
        except FileNotFoundError:
            # Somebody else made room.
            continue
        if file.is_file():
            yield file, stat
