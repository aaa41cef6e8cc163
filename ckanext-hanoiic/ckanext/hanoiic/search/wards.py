"""Hanoi's wards and communes: their codes, and the wards and districts that they were before.

Read from ``words/wards.yaml`` (of the package vietnamadminunits, MIT licence).
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from . import vietnamese

FILE = Path(__file__).with_name("words") / "wards.yaml"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Ward:
    """A ward (`Phường`) or commune (`Xã`) since 1 July 2025.

    ``former``: the units that most of it was made of; ``districts``: those it lay in. Both are
    full names (`Phường Dịch Vọng`, `Quận Cầu Giấy`), its own name not among them.
    """

    code: str
    name: str
    former: tuple[str, ...]
    districts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that finds it, today's first."""
        return (self.name, *self.former, *self.districts)


@functools.cache
def wards() -> Mapping[str, Ward]:
    """The wards by code, in the order of codes."""
    content = yaml.load(FILE.read_text(encoding="utf-8"), _LOADER)  # noqa: S506
    districts: dict[str, list[str]] = defaultdict(list)
    for district, parts in content["districts"].items():
        for part in parts:
            districts[part].append(district)
    return {
        code: Ward(
            code,
            name,
            tuple(former for former in content["wards"].get(name, ()) if former != name),
            tuple(districts[name]),
        )
        for code, name in sorted(content["codes"].items())
    }


KINDS = ("Phường ", "Xã ", "Thị trấn ")


def bare(name: str) -> str:
    """`Phường Dịch Vọng` → `Dịch Vọng`."""
    return next((name.removeprefix(kind) for kind in KINDS if name.startswith(kind)), name)


def name_of(code: str) -> str:
    """Today's name of a ward, or the code itself where there is none."""
    ward = wards().get(code)
    return ward.name if ward else code


def matching(typed: str) -> list[tuple[Ward, str | None]]:
    """The wards with a name that ``typed`` begins, each with the former name that did (or None).

    Today's names before former ones, districts last; within each, tones as typed come first.
    """
    wanted = vietnamese.words(typed)
    if not wanted:
        return []
    found = []
    for ward in wards().values():
        ranked = [
            (kind, -_exact_words(wanted, name), name)
            for kind, names in enumerate(((ward.name,), ward.former, ward.districts))
            for name in names
            if begins(wanted, name)
        ]
        if ranked:
            kind, exact, name = min(ranked)
            former = name if kind else None
            found.append((kind, exact, vietnamese.sort_key(ward.name), ward, former))
    return [(ward, former) for *_, ward, former in sorted(found, key=lambda one: one[:3])]


def begins(typed: Iterable[vietnamese.Word], name: str) -> bool:
    """Whether the words stand side by side in ``name``, the last one perhaps only begun."""
    wanted = [word.folded for word in typed]
    named = [word.folded for word in _words(name)]
    *whole, last = wanted
    return any(
        named[start : start + len(whole)] == whole and named[start + len(whole)].startswith(last)
        for start in range(len(named) - len(whole))
    )


def _exact_words(typed: Iterable[vietnamese.Word], name: str) -> int:
    spellings = {word.spelling for word in _words(name)}
    return sum(word.has_diacritics and word.spelling in spellings for word in typed)


@functools.lru_cache(maxsize=4096)  # asked for every name at every key
def _words(name: str) -> list[vietnamese.Word]:
    return vietnamese.words(name)
