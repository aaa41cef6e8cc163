"""All rejected rows of runs, below CKAN's storage path: one gzipped file of JSON lines a table.

The harvest worker puts them; the pages of the run's officers read them. Kept for 30 days.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ckan.plugins import toolkit as tk

from .errors import UploadTooLarge

KEPT_DAYS = 30
LARGEST_BYTES = 256 << 20
CHUNK_BYTES = 1 << 20
SUFFIX = ".ndjson.gz"


def folder(run_id: str) -> Path:
    return _root() / run_id


def put(run_id: str, table: str, stream: BinaryIO) -> None:
    """Write a table's file whole or not at all, replacing the one of an attempt before.

    Raises UploadTooLarge.
    """
    place = folder(run_id)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            while chunk := stream.read(CHUNK_BYTES):
                if file.tell() + len(chunk) > LARGEST_BYTES:
                    raise UploadTooLarge("The rejected rows are too many to be kept.")
                file.write(chunk)
        Path(name).replace(place / f"{table}{SUFFIX}")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def rows(run_id: str) -> Iterator[dict[str, Any]] | None:
    """Every kept row of a run, table by table; None when there is none."""
    files = sorted(folder(run_id).glob(f"*{SUFFIX}"))
    return _read(files) if files else None


def _read(files: list[Path]) -> Iterator[dict[str, Any]]:
    for path in files:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    yield json.loads(line)
        except (OSError, EOFError, zlib.error, ValueError):
            # A damaged or vanished file ends there; the other tables are shown.
            continue


def forget_old() -> None:
    """Delete what is older than KEPT_DAYS."""
    oldest = time.time() - KEPT_DAYS * 86_400
    for place in _root().iterdir():
        if place.stat().st_mtime < oldest:
            shutil.rmtree(place, ignore_errors=True)


def _root() -> Path:
    return Path(tk.config["ckan.storage_path"]) / "hanoiic_rejected"
