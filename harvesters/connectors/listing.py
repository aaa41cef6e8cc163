"""Files that a server lists: each of a kind that can be read is a dataset with one file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import PurePosixPath

from harvesters import guess
from harvesters.connectors.base import File, Offer
from harvesters.errors import CatalogueBroken, PartNotFound
from harvesters.fetch import REMEMBERED, Client, Fetched
from harvesters.source import Source
from lake import names

MOST_FILES = 20_000
NAME_LENGTH = 100
_SHOWN = 10
_UP = frozenset({".", ".."})
_WORDS = re.compile(r"[-_+\s]+")


@dataclass(frozen=True)
class Listed:
    """A file of a listing: its path below the source's address, and the address it has. `mark` is
    what only another content changes (an ETag); None where nothing is such."""

    path: str
    url: str
    mark: str | None = None


def offers(
    source: Source, listed: Iterable[Listed], get: Callable[[Listed, Client], Fetched]
) -> Iterator[Offer]:
    """A dataset for each file that is wanted and of a kind that can be read.

    The whole listing is read first: one that breaks off changes nothing. Raises CatalogueBroken
    (more than MOST_FILES), PartNotFound, and what the listing raises.
    """
    pattern = source.options.parts or "*"
    found: list[tuple[Listed, str]] = []
    others: list[str] = []
    for count, each in enumerate(listed, start=1):
        if count > MOST_FILES:
            raise CatalogueBroken(
                f"The listing has over {MOST_FILES} files; give the address of a folder in it."
            )
        if not _UP.isdisjoint(each.path.split("/")):
            raise CatalogueBroken("The listing has a path that leads out of its folder.")
        kind = guess.of_name(each.path)
        if kind and fnmatch(each.path, pattern):
            found.append((each, kind))
        else:
            others.append(each.path)
    if others and not found:
        raise PartNotFound(
            f"None of the {len(others)} files is of a kind that can be read and fits {pattern!r}: "
            f"{', '.join(others[:_SHOWN])}.",
            found=len(others),
        )
    taken: set[str] = set()
    for each, kind in found:
        yield _offer(source, each, kind, taken, partial(_kept_or_got, source, each, get))


def _offer(
    source: Source,
    each: Listed,
    kind: str,
    taken: set[str],
    collect: Callable[[Client], Fetched],
) -> Offer:
    path = PurePosixPath(each.path)
    stem = str(path.with_suffix(""))
    table = names.table_name(source.table, stem)
    if table in taken:
        # Files that differ in their ending, or in signs that no table's name has.
        table = names.table_name(table, hashlib.sha256(each.path.encode()).hexdigest()[:8])
    taken.add(table)
    defaults = {key: value for key, value in source.dataset.items() if key not in ("table", "name")}
    title = " ".join(_WORDS.split(path.stem)).strip() or path.name
    return Offer(
        identifier=each.path,
        name=f"{source.name}-{table.removeprefix(f'{source.table}_').replace('_', '-')}"[
            :NAME_LENGTH
        ].rstrip("-_"),
        fields={**defaults, "title": f"{source.title}: {title}"},
        files=[File(each.url, kind, table, path.name, collect=collect)],
    )


def _kept_or_got(
    source: Source, each: Listed, get: Callable[[Listed, Client], Fetched], client: Client
) -> Fetched:
    """The file as it was kept when its mark is still the same; else anew."""
    if each.mark is None:
        return get(each, client)
    key = hashlib.sha256(json.dumps([source.id, each.url, "mark"]).encode()).hexdigest()
    remembered = client.raw_dir / REMEMBERED / key
    try:
        said = json.loads(remembered.read_text())
        kept = client.raw_path(said["sha256"])
        if said["mark"] == each.mark:
            # Both are needed still: upkeep removes what is old.
            os.utime(kept)
            os.utime(remembered)
            size = kept.stat().st_size
            return Fetched(each.url, kept, said["sha256"], size, each.mark, None, not_modified=True)
    except (FileNotFoundError, ValueError, KeyError):
        pass
    fetched = get(each, client)
    remembered.parent.mkdir(exist_ok=True)
    written = remembered.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    written.write_text(json.dumps({"mark": fetched.etag, "sha256": fetched.sha256}))
    written.replace(remembered)
    return replace(fetched, url=each.url)
