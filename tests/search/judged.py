"""The judged sets of ``tests/data``: their catalogue, their queries, and nDCG.

``search_vi.yaml`` holds the catalogue and two sets that the index was tuned on; the set of
``search_vi_heldout.yaml`` is for measuring alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[1] / "data" / "search_vi.yaml"
HELD_OUT = FILE.with_name("search_vi_heldout.yaml")
YEARS = (2023, 2024)
TITLES = (
    "{title} {place}",
    "{title} trên địa bàn {place}",
    "{title} tại {place}",
)


@dataclass(frozen=True)
class Entry:
    """A dataset of the catalogue: what it is about, where and when (None: no one place or year)."""

    name: str
    subject: str
    place: str | None
    year: int | None
    title: str
    details: dict[str, str]

    def document(self) -> dict[str, Any]:
        """What CKAN's indexer would send."""
        return {
            "index_id": self.name,
            "id": self.name,
            "site_id": "judged",
            "entity_type": "package",
            "state": "active",
            "capacity": "public",
            "permission_labels": ["public"],
            "name": self.name.replace("_", "-"),
            "title": self.title,
            "notes": self.details["notes"],
            "extras_title_en": self.details["en"],
            "extras_columns": self.details["columns"],
            "author": self.details["org"],
        }

    def text(self) -> str:
        return " ".join([self.title, *self.details.values()])


@dataclass(frozen=True)
class Judged:
    """A query and the grade of each dataset that answers it."""

    q: str
    grades: dict[str, int]


def load() -> tuple[list[Entry], dict[str, list[Judged]]]:
    """The catalogue, and the sets of queries by name."""
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    held_out = yaml.safe_load(HELD_OUT.read_text(encoding="utf-8"))
    entries = list(_entries(content))
    sets = {
        "judged": content["queries"],
        "everyday": content["everyday"],
        "held out": held_out["queries"],
    }
    return entries, {
        name: [_judged(query, entries) for query in queries] for name, queries in sets.items()
    }


def _entries(content: dict[str, Any]) -> Iterator[Entry]:
    places = {key: name for key, name in content["places"].items() if key != "city"}
    keys = sorted(places)
    for number, (subject, details) in enumerate(content["subjects"].items()):
        title = details["title"]
        city = content["places"]["city"]
        yield Entry(f"{subject}-all", subject, None, None, f"{title} {city}", details)
        for year in YEARS:
            yield Entry(
                f"{subject}-{year}", subject, None, year, f"{title} {city} năm {year}", details
            )
        for step, key in enumerate(keys):
            written = TITLES[(number + step) % len(TITLES)].format(title=title, place=places[key])
            yield Entry(f"{subject}-{key}", subject, key, None, written, details)
    for name, details in content["demo"].items():
        yield Entry(name, name, None, None, details["title"], details)


def _judged(query: dict[Any, Any], entries: Sequence[Entry]) -> Judged:
    subjects = {
        subject: grade for grade in (1, 2, 3) for subject in query.get(grade, ()) if subject
    }
    grades = {}
    for entry in entries:
        grade = subjects.get(entry.subject, 0)
        for asked, has in ((query.get("place"), entry.place), (query.get("year"), entry.year)):
            if asked and asked != has:
                grade = grade - 1 if has is None else 0
        if grade > 0:
            grades[entry.name] = grade
    if not grades:
        raise ValueError(f"{query['q']!r} is about nothing in the catalogue")
    return Judged(query["q"], grades)


def ndcg(found: Sequence[str], grades: dict[str, int], depth: int = 10) -> float:
    """Normalised discounted cumulative gain of the first ``depth``, gains 2^grade - 1."""
    ideal = _dcg(sorted(grades.values(), reverse=True)[:depth])
    return _dcg([grades.get(name, 0) for name in found[:depth]]) / ideal


def _dcg(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(grades))
