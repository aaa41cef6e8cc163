"""The cells of a PX-Web table: asked for in as many parts as the server's own limit makes of them.

A part is a block of neighbouring cells, so that the parts one after the other are the table. Which
variable has the contents, their units and when the table was renewed is asked with its first cell.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any

from harvesters import kept
from harvesters.connectors import cube, jsonstat, typed_rows
from harvesters.connectors.cube import Cube, Dimension
from harvesters.connectors.typed_rows import TypedColumn
from harvesters.errors import (
    ApiRefused,
    PagesBroken,
    SourceAnsweredError,
    SourceChanging,
    SourceTooLarge,
)
from harvesters.fetch import Client, Fetched
from harvesters.kept import Kept, Notes
from harvesters.pages import Pages, line
from harvesters.source import Source

MOST_CELLS = 20_000_000
# Of servers that do not say their own.
USUAL_CELLS, USUAL_CALLS, USUAL_WINDOW_S = 10_000, 10, 10
LARGEST_PART_CELLS = 100_000
_ROOT = re.compile(r"https?://[^?#]*?/v1(?:/doris)?/[a-z]{2,3}(?=/|$)")
# Counted up when rows are made in another way.
VERSION = 1

# A variable's code, and those of its values that are asked for.
Asked = tuple[str, Sequence[str]]


@dataclass
class Limits:
    """What a server allows: cells in one answer, and answers in a time."""

    cells: int = USUAL_CELLS
    pause_s: float = USUAL_WINDOW_S / USUAL_CALLS
    _free_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, url: str, walk: Pages) -> Limits:
        """As the server's `?config` says; the usual ones of a server without it."""
        match = _ROOT.match(url)
        root = match[0] if match else url
        try:
            said = walk.document(f"{root}/?config", is_page=False)
        except (SourceAnsweredError, ApiRefused):
            return cls()
        if not isinstance(said, dict):
            return cls()
        numbers = {key: value for key, value in said.items() if type(value) is int and value > 0}
        cells = [numbers[key] for key in ("maxCells", "maxValues") if key in numbers]
        window, calls = numbers.get("timeWindow"), numbers.get("maxCalls")
        return cls(
            cells=min([*(cells or [USUAL_CELLS]), LARGEST_PART_CELLS]),
            pause_s=window / calls if window and calls else USUAL_WINDOW_S / USUAL_CALLS,
        )

    def wait(self) -> None:
        """Until it is the next question's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._free_at)
            self._free_at = turn + min(self.pause_s, 60.0)
        time.sleep(turn - now)


def collect(source: Source, url: str, renewed: str, limits: Limits, client: Client) -> Fetched:
    """The table as one file of typed rows; nothing is asked for when it was not renewed.

    Raises ApiRefused, CubeBroken, PagesBroken, SourceChanging, SourceTooLarge, and the errors of
    `Pages.get`.
    """

    def gather(walk: Pages, before: Kept | None, notes: Notes) -> Iterator[bytes] | None:
        if before and renewed and before.notes["renewed"] == renewed:
            return None
        limits.wait()
        variables = _variables(walk.about(url, is_page=False))
        first = _ask(url, [(each.code, each.codes[:1]) for each in variables], walk, limits)
        known: Notes = {
            "renewed": renewed,
            "updated": first.renewed,
            "variables": [[each.code, each.codes, each.labels] for each in variables],
        }
        if before and first.renewed and {**before.notes, "renewed": renewed} == known:
            return None
        notes.update(known)
        return _file(url, variables, first, walk, limits)

    return replace(kept.gathered(source, client, f"{VERSION} {url}", gather), url=url)


def _variables(about: dict[str, Any]) -> list[Dimension]:
    """The table's variables with all their values. Raises ApiRefused, SourceTooLarge."""
    try:
        found = [
            Dimension(
                str(each["code"]),
                str(each.get("text") or each["code"]),
                [str(value) for value in each["values"]],
                [str(text) for text in each.get("valueTexts") or each["values"]],
            )
            for each in about["variables"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ApiRefused("The server does not describe its table as PX-Web does.") from error
    cube.check_size(found, MOST_CELLS)
    return found


def _file(
    url: str, variables: list[Dimension], first: Cube, walk: Pages, limits: Limits
) -> Iterator[bytes]:
    # Whether a variable has codes that say something is seen in all of its values only.
    is_coded = {each.code: each.has_codes for each in variables}
    columns: list[TypedColumn] = []
    signs: Counter[str] = Counter()
    for asked in _parts(variables, first.metric, limits.cells):
        part = _ask(url, asked, walk, limits)
        if part.renewed != first.renewed:
            raise SourceChanging("The table was renewed while its cells were read.")
        part.dimensions = [replace(each, is_coded=is_coded[each.code]) for each in part.dimensions]
        if not columns:
            columns = part.columns()
            yield typed_rows.head(columns)
        if part.columns() != columns:
            raise PagesBroken("Parts of the table do not have the same columns.")
        yield from map(line, part.rows())
        signs += part.signs
    yield typed_rows.tail([*first.messages(), *cube.signs_told(signs)])


def _parts(variables: list[Dimension], metric: str | None, most: int) -> Iterator[list[Asked]]:
    """Blocks of at most so many cells, in the order of the cells; each has all contents.

    Raises SourceTooLarge.
    """
    free = [(each.code, each.codes) for each in variables if each.code != metric]
    contents = [(each.code, each.codes) for each in variables if each.code == metric]
    room = most // prod(len(values) for _, values in contents)
    if room < 1:
        raise SourceTooLarge("The table has more contents than the server gives at once.")
    # The last variables whole, one in portions, those before it value by value.
    at = len(free)
    while at and prod(len(values) for _, values in free[at - 1 :]) <= room:
        at -= 1
    whole = free[at:]
    if not at:
        yield [*whole, *contents]
        return
    code, values = free[at - 1]
    size = room // prod(len(each) for _, each in whole)
    portions = [values[start : start + size] for start in range(0, len(values), size)]
    for single in product(*(each for _, each in free[: at - 1])):
        before = [(name, [value]) for (name, _), value in zip(free, single, strict=False)]
        for portion in portions:
            yield [*before, (code, portion), *whole, *contents]


def _ask(url: str, asked: list[Asked], walk: Pages, limits: Limits) -> Cube:
    """These values of the variables. Raises CubeBroken, PagesBroken, and as `Pages.answer`."""
    limits.wait()
    question = {
        "query": [
            {"code": code, "selection": {"filter": "item", "values": list(values)}}
            for code, values in asked
        ],
        "response": {"format": "json-stat2"},
    }
    part = jsonstat.read(walk.answer(url, question).path)
    given = {each.code: list(each.codes) for each in part.dimensions}
    if given != {code: list(values) for code, values in asked}:
        raise PagesBroken("The server gave other cells of the table than it was asked for.")
    return part
