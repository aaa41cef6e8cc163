"""Hanoi's units of administration: wards and communes of today, and those before 1 July 2025.

From the package vietnamadminunits (MIT): today's 126 units, the 526 before with their 30 districts,
and which became which. An old unit that was divided among several has all of them and no default:
which one a row belongs to is not in its name.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

HANOI = "01"
_PROVINCE_KEY = "thanhphohanoi"
_PREFIXES = {
    "phuong": ("phường", "phuong", "p"),
    "xa": ("xã", "xa", "x"),
    "thitran": ("thị trấn", "thi tran", "tt"),
    "quan": ("quận", "quan", "q"),
    "huyen": ("huyện", "huyen", "h"),
    "thixa": ("thị xã", "thi xa", "tx"),
}
_KIND_OF_PREFIX = {word: kind for kind, words in _PREFIXES.items() for word in words}
_PREFIX = re.compile(f"({'|'.join(sorted(_KIND_OF_PREFIX, key=len, reverse=True))}) (.+)")
_BETWEEN = re.compile(r"[-–.,'’\"]")
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_Y = str.maketrans("ýỳỷỹỵ", "íìỉĩị")
_D = str.maketrans("đ", "d")
Unit = TypeVar("Unit")


@dataclass(frozen=True)
class Old:
    """A unit before July 2025: its code, its district's code, and the codes of today's units that
    it went to; `name` is its full one."""

    code: str
    name: str
    district: str
    today: tuple[str, ...]


@dataclass(frozen=True)
class Units:
    """Units by `key`: codes of today's, units before, and by `plain` key names from before those,
    of what was merged into them. A name may stand for several, in different districts."""

    today: dict[str, frozenset[str]]
    old: dict[str, frozenset[Old]]
    older: dict[str, frozenset[Old]]
    districts: dict[str, str]
    today_names: dict[str, str]
    old_by_code: dict[str, Old]


def key(name: str) -> str:
    """What a unit's name is compared by: `kind:letters`, the kind empty where the name says none.

    Case, dots and hyphens, the place of a tone (`hòa`, `hoà`) and `y` for `i` make no difference:
    `key("P.Ngọc Hà") == key("phường ngọc  hà") != key("Ngọc Hà")`.
    """
    text = " ".join(_BETWEEN.sub(" ", unicodedata.normalize("NFC", name).casefold()).split())
    found = _PREFIX.fullmatch(text)
    kind, rest = (_KIND_OF_PREFIX[found[1]], found[2]) if found else ("", text)
    return f"{kind}:{' '.join(map(_spelt, rest.split()))}"


def plain(unit_key: str) -> str:
    """A key without tones and spaces: how a name typed without them is compared."""
    marked = unicodedata.normalize("NFD", unit_key.translate(_D))
    return "".join(sign for sign in marked if not unicodedata.combining(sign) and sign != " ")


@cache
def hanoi() -> Units:
    """All of Hanoi's units."""
    data = _data()
    with closing(sqlite3.connect(f"{(data / 'dataset.db').as_uri()}?mode=ro", uri=True)) as base:
        new = base.execute(
            "SELECT wardCode, ward, wardKey FROM admin_units WHERE provinceCode = ?", [HANOI]
        ).fetchall()
        before = base.execute(
            "SELECT wardCode, ward, wardKey, wardAlias, district, districtCode, districtKey "
            "FROM admin_units_legacy WHERE provinceCode = ?",
            [HANOI],
        ).fetchall()
    became = _became(data, {ward_key: code for code, _, ward_key in new})
    old_units: dict[str, Old] = {}
    aliases: list[tuple[str, Old]] = []
    districts: dict[str, str] = {}
    for code, name, ward_key, others, district, district_code, district_key in before:
        today = became[f"{_PROVINCE_KEY}_{district_key}_{ward_key}"]
        unit = Old(code, name, district_code, today)
        old_units[code] = unit
        aliases += [(_alias(other), unit) for other in json.loads(others or "[]")]
        districts |= dict.fromkeys(_spellings(district), district_code)
    return Units(
        today=_by_key([(name, code) for code, name, _ in new]),
        old=_by_key([(unit.name, unit) for unit in old_units.values()]),
        older=_gathered(aliases),
        districts=districts,
        today_names={code: name for code, name, _ in new},
        old_by_code=old_units,
    )


def _data() -> Path:
    # The package itself is not imported: it would take seconds for what is not needed here.
    found = find_spec("vietnamadminunits")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("vietnamadminunits is not installed")
    return Path(found.submodule_search_locations[0]) / "data"


def _became(data: Path, codes: dict[str, str]) -> dict[str, tuple[str, ...]]:
    converter = json.loads((data / "converter_2025.json").read_text(encoding="utf-8"))
    whole = converter["DICT_PROVINCE_WARD_NO_DIVIDED"][_PROVINCE_KEY]
    divided = converter["DICT_PROVINCE_WARD_DIVIDED"][_PROVINCE_KEY]
    became: dict[str, tuple[str, ...]] = {
        old: (codes[new],) for new, olds in whole.items() for old in olds
    }
    for old, parts in divided.items():
        became[old] = tuple(sorted(codes[part["newWardKey"]] for part in parts))
    return became


def _alias(written: str) -> str:
    """The plain key of an alias of the package: `phuongquoctugiam`, or without its kind."""
    kind = next((kind for kind in _PREFIXES if written.startswith(kind)), "")
    return f"{kind}:{written.removeprefix(kind).replace('y', 'i')}"


def _by_key(named: Iterable[tuple[str, Unit]]) -> dict[str, frozenset[Unit]]:
    return _gathered((spelt, unit) for name, unit in named for spelt in _spellings(name))


def _gathered(pairs: Iterable[tuple[str, Unit]]) -> dict[str, frozenset[Unit]]:
    found: dict[str, set[Unit]] = defaultdict(set)
    for unit_key, unit in pairs:
        found[unit_key].add(unit)
    return {unit_key: frozenset(units) for unit_key, units in found.items()}


def _spellings(name: str) -> set[str]:
    """The keys a unit is found by: with its kind or without, with tones or without."""
    full = key(name)
    bare = ":" + full.partition(":")[2]
    return {full, bare, plain(full), plain(bare)}


def _spelt(syllable: str) -> str:
    """A syllable with its tone at the end."""
    signs = unicodedata.normalize("NFD", syllable.replace("y", "i").translate(_Y))
    tone = "".join(sign for sign in signs if sign in _TONES)
    letters = "".join(sign for sign in signs if sign not in _TONES)
    return unicodedata.normalize("NFC", letters) + tone
