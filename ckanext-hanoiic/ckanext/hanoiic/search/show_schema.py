"""A schema as CKAN shows a dataset with it, prepared once and applied to many datasets.

``ckan.lib.navl`` works a schema out anew for every dataset, and sorts all its keys six times. Here
that is done once a schema; what is done with each value, and in which order, is navl's own
(``dictization_functions._validate``), as are the results, to the order of their keys. What CKAN
would find wrong is not told: showing and indexing a dataset ignore it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ckan.lib.navl import dictization_functions as navl
from ckan.lib.navl.validators import ignore_missing
from ckan.logic import converters, validators
from ckan.types import Context

Key = tuple[Any, ...]
Flat = dict[Key, Any]
Converter = Callable[..., Any]

# They change no value: they only say what is wrong, and some ask the database for it.
_CHECKS = {
    validators.duplicate_extras_key,
    validators.name_validator,
    validators.package_name_validator,
}
_RUNS = ("__before", "", "__extras", "__after")


@dataclass(frozen=True)
class _Fields:
    """The fields of one level of the schema, in the order of their names."""

    known: frozenset[str]
    plain: tuple[tuple[str, tuple[Converter, ...]], ...]
    special: Mapping[str, tuple[Converter, ...]]  # ``__before`` and its like


class ShowSchema:
    """One schema of ``package_show``, its validators included."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        flat = list(navl.flatten_schema(schema))
        self._levels = {key[:-1] for key in flat}
        self._beginnings = {key[:length] for key in flat for length in range(1, len(key) + 1)}
        self._fields = {level: _fields(self._at(level)) for level in self._levels}

    def _at(self, level: Key) -> dict[str, Any]:
        found = self.schema
        for name in level:
            found = found[name]
        return found

    def shown(self, dataset: dict[str, Any], context: Context) -> dict[str, Any]:
        """The dataset as ``navl.validate`` returns it, without its errors."""
        context = Context(context, schema_keys=list(self.schema))
        given = navl.flatten_dict(dataset, schema=self.schema)
        places = self._places(given)
        data = self._augmented(given, places)
        errors: dict[Key, list[str]] = {
            (*place, name): [] for place, fields in places for name in fields.known
        }
        for run in _RUNS:
            if not run:
                self._convert_plain(places, data, errors, context)
                continue
            for place, fields in reversed(places) if run == "__after" else places:
                if converting := fields.special.get(run):
                    _convert(converting, (*place, run), data, errors, context)
        if converting := self._fields[()].special.get("__junk"):
            _convert(converting, ("__junk",), data, errors, context)
        shown = unflattened(data)
        for key, value in dataset.items():
            if value == [] and key not in shown:
                shown[key] = []
        return shown

    def _places(self, given: Flat) -> list[tuple[Key, _Fields]]:
        """The dataset itself and each item of its lists that the schema knows, parents first."""
        found: set[Key] = {()}
        for place in sorted({key[:-1] for key in given}, key=len):
            if place[::2] in self._levels and place[:-2] in found:
                found.add(place)
        ordered = sorted(found, key=_order)
        return [(place, self._fields[place[::2]]) for place in ordered]

    def _augmented(self, given: Flat, places: list[tuple[Key, _Fields]]) -> Flat:
        """With all the schema's fields; those that it doesn't know in ``__extras``, ``__junk``."""
        at = dict(places)
        data: Flat = {}
        extras: dict[Key, dict[Any, Any]] = {}
        junk = {}
        for key, value in given.items():
            fields = at.get(key[:-1])
            if fields is not None and key[-1] in fields.known:
                data[key] = value
                continue
            if key[::2] in self._beginnings and value != []:
                raise navl.DataError(f"Only lists of dicts can be placed against subschema {key}")
            if fields is None:
                junk[key] = value
            else:
                extras.setdefault((*key[:-1], "__extras"), {})[key[-1]] = value
        if junk:
            data[("__junk",)] = junk
        data.update(extras)
        for place, fields in places:
            for name, _ in fields.plain:
                data.setdefault((*place, name), navl.missing)
        return data

    def _convert_plain(
        self,
        places: list[tuple[Key, _Fields]],
        data: Flat,
        errors: dict[Key, list[str]],
        context: Context,
    ) -> None:
        kept_extras: dict[str, int] | None = None  # name → place in the list of extras
        for place, fields in places:
            for name, converting in fields.plain:
                if not converting:
                    continue
                key = (*place, name)
                if converting[0] is ignore_missing:
                    value = data.get(key)
                    if value is navl.missing or value is None:
                        data.pop(key, None)
                        continue
                    converting = converting[1:]
                elif converting[0] is converters.convert_from_extras:
                    if kept_extras is None:
                        kept_extras = _extras(data)
                    _take_from_extras(name, key, data, kept_extras)
                    value = data.get(key)
                    converting = converting[1:]
                    if converting and converting[0] is ignore_missing:
                        if value is navl.missing or value is None:
                            data.pop(key, None)
                            continue
                        converting = converting[1:]
                if converting:
                    _convert(converting, key, data, errors, context)


def _order(key: Key) -> Key:
    """navl's order of keys."""
    return (len(key), *key)


def _fields(level: dict[str, Any]) -> _Fields:
    fields = {name: value for name, value in level.items() if isinstance(value, list)}
    plain, special = {}, {}
    for name, converting in sorted(fields.items()):
        kept = tuple(converter for converter in converting if converter not in _CHECKS)
        (special if name.startswith("__") else plain)[name] = kept
    return _Fields(frozenset(fields), tuple(plain.items()), special)


def _convert(
    converting: tuple[Converter, ...],
    key: Key,
    data: Flat,
    errors: dict[Key, list[str]],
    context: Context,
) -> None:
    try:
        for converter in converting:
            navl.convert(converter, key, data, errors, context)
    except navl.StopOnError:
        return


def _extras(data: Flat) -> dict[str, int]:
    return {value: key[1] for key, value in data.items() if key[0] == "extras" and key[-1] == "key"}


def _take_from_extras(name: str, key: Key, data: Flat, kept: dict[str, int]) -> None:
    """What ``convert_from_extras`` does, without looking through all data for each field."""
    place = kept.pop(name, None)
    if place is None:
        return
    data[key] = data[("extras", place, "value")]
    for taken in [other for other in data if other[0] == "extras" and other[1:2] == (place,)]:
        del data[taken]


def unflattened(data: Flat) -> dict[str, Any]:
    """What ``navl.unflatten`` returns."""
    root: dict[str, Any] = {}
    at: dict[Key, Any] = {(): root}
    with_gaps: dict[int, list[Any]] = {}
    for _, key in sorted([(_order(key), key) for key in data], key=itemgetter(0)):
        place = key[:-1]
        if place not in at:
            _make(place, at, with_gaps)
        at[place][key[-1]] = data[key]
    for items in with_gaps.values():
        items[:] = [item for item in items if item]
    return root


def _make(place: Key, at: dict[Key, Any], with_gaps: dict[int, list[Any]]) -> None:
    """Make the list item at a place (its list's name and its number end it), and its list."""
    *parent, name, number = place
    items = at[tuple(parent)].setdefault(name, [])
    while len(items) <= number:
        if len(items) < number:
            with_gaps[id(items)] = items
        items.append({})
    at[place] = items[number]
