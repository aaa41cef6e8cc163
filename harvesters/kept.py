"""What was gathered of an API before, so that next time only what is new is asked for.

It lies in the raw store, with what its collector noted of it: until when it reaches, how many rows
it has. Where it is gone, or on another machine, everything is asked for: the result is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harvesters.errors import SourceChanging
from harvesters.fetch import REMEMBERED, Client, Fetched
from harvesters.incoming import Incoming
from harvesters.pages import Pages
from harvesters.source import Source

# A source that changes while it is read is read anew.
TRIES = 3

Notes = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """A file that was gathered before, and what was noted of it."""

    notes: Mapping[str, Any]
    fetched: Fetched


# The chunks of a file, made of pages and what was kept; None: what was kept is still the same. The
# notes are to be filled until the last chunk.
Gather = Callable[[Pages, Kept | None, Notes], Iterator[bytes] | None]


def gathered(source: Source, client: Client, what: str, gather: Gather) -> Fetched:
    """One file in the raw store, made anew or of what was kept and what is new.

    `what` tells it from all others of the source, and from those made in another way. Raises what
    `gather` raises.
    """
    place = client.raw_dir / REMEMBERED / _name(source, what)
    for left in reversed(range(TRIES)):
        before = _recall(place, source, client)
        try:
            return _once(source, client, place, before, gather)
        except SourceChanging:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


def _once(
    source: Source, client: Client, place: Path, before: Kept | None, gather: Gather
) -> Fetched:
    notes: Notes = {}
    with Incoming(client.raw_dir, client.limits) as incoming:
        incoming.begin()
        chunks = gather(Pages(source, client, incoming), before, notes)
        if chunks is None and before is not None:
            return replace(before.fetched, not_modified=True)
        for chunk in chunks or ():
            incoming.add(chunk)
        sha256 = incoming.keep()
        path = client.raw_path(sha256)
        fetched = Fetched(source.url, path, sha256, incoming.byte_count, None, None)
    place.parent.mkdir(exist_ok=True)
    written = place.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    written.write_text(json.dumps({"sha256": sha256, "notes": notes}))
    written.replace(place)
    return fetched


def _recall(place: Path, source: Source, client: Client) -> Kept | None:
    try:
        said = json.loads(place.read_text())
        path = client.raw_path(said["sha256"])
        # Both are needed still: upkeep removes only what is old.
        os.utime(place)
        os.utime(path)
        size = path.stat().st_size
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return Kept(said["notes"], Fetched(source.url, path, said["sha256"], size, None, None))


def _name(source: Source, what: str) -> str:
    return hashlib.sha256(json.dumps(["kept", source.id, source.url, what]).encode()).hexdigest()
