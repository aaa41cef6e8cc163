"""What the name or the code of a ward stands for among Hanoi's units, old and today's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harvesters import wards
from harvesters.wards import Old, Units

CODE = re.compile(r"\d{5}")
_PARTS = re.compile(r"[,;]|\s-\s")

Pair = tuple[str, str | None]


@dataclass(frozen=True)
class Match:
    """What one text stands for: today's code where it is sure, `candidates` where it is not."""

    code: str | None
    match: str
    candidates: tuple[str, ...] = ()


def is_old_times(pairs: Iterable[Pair], units: Units) -> bool:
    """Whether a column is of the time before July 2025: some of its units ended then, or it has
    districts; and not when it has units that only today has, beside as many old ones."""
    only_old = only_today = 0
    for ward, district in set(pairs):
        name, beside = _apart(ward, district)
        if CODE.fullmatch(name):
            is_old, is_today = name in units.old_by_code, name in units.today_names
        else:
            is_old, is_today = bool(_old(name, units)), bool(_today(name, units))
        has_district = beside is not None and district_code(beside, units) is not None
        only_old += is_old and (not is_today or has_district)
        only_today += is_today and not is_old
    return only_old > only_today


def match(ward: str, district: str | None, units: Units, old_times: bool) -> Match:
    """What one text stands for, with the district beside it, if there is one."""
    name, beside = _apart(ward, district)
    if CODE.fullmatch(name):
        if not old_times:
            return Match(name, "matched") if name in units.today_names else _UNKNOWN
        candidates = {units.old_by_code[name]} if name in units.old_by_code else set()
        return _converted(candidates)
    today = _today(name, units)
    if not old_times and today:
        return Match(next(iter(today)), "matched") if len(today) == 1 else _several(today)
    candidates = set(_old(name, units))
    in_district = district_code(beside, units) if beside else None
    if in_district:
        candidates = {unit for unit in candidates if unit.district == in_district}
    found = _converted(candidates)
    if found is _UNKNOWN and today and not in_district:
        return Match(next(iter(today)), "matched") if len(today) == 1 else _several(today)
    return found


_UNKNOWN = Match(None, "unknown")


def _converted(candidates: set[Old]) -> Match:
    became = {unit.today for unit in candidates}
    if not became:
        return _UNKNOWN
    codes = {code for today in became for code in today}
    if len(codes) == 1:
        return Match(codes.pop(), "converted")
    return _several(codes, "split" if len(candidates) == 1 else "ambiguous")


def _several(codes: Iterable[str], why: str = "ambiguous") -> Match:
    return Match(None, why, tuple(sorted(codes)))


def _today(name: str, units: Units) -> frozenset[str]:
    key = wards.key(name)
    return units.today.get(key) or (
        units.today.get(wards.plain(key), frozenset()) if key.isascii() else frozenset()
    )


def _old(name: str, units: Units) -> frozenset[Old]:
    key = wards.key(name)
    return (
        units.old.get(key)
        or (units.old.get(wards.plain(key)) if key.isascii() else None)
        or units.older.get(wards.plain(key), frozenset())
    )


def _apart(ward: str, district: str | None) -> Pair:
    """`Phường Ngọc Hà, quận Ba Đình`: the ward, and the district that it says itself."""
    parts = [part.strip() for part in _PARTS.split(ward.strip())]
    own = next((part for part in parts[1:] if wards.key(part).startswith(_DISTRICT_KINDS)), None)
    return parts[0] if own else ward, own or district


_DISTRICT_KINDS = ("quan:", "huyen:", "thixa:")


def district_code(name: str, units: Units) -> str | None:
    key = wards.key(name)
    return units.districts.get(key) or (
        units.districts.get(wards.plain(key)) if key.isascii() else None
    )
