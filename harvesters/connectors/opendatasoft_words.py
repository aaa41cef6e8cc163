"""What an Opendatasoft portal says of a dataset, in this portal's words: its columns, its fields.

https://help.opendatasoft.com/apis/ods-explore-v2/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harvesters.connectors import dcat_words, markup
from harvesters.connectors.typed_rows import TypedColumn
from harvesters.errors import ApiRefused

_TYPES = {
    "text": "string",
    "int": "int64",
    "double": "float64",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamp",
    "geo_point_2d": "string",
    "geo_shape": "string",
    "json_blob": "string",
    "file": "string",
}
# The first of these is a row's place.
_PLACES = ("geo_shape", "geo_point_2d")
_NO_DAYS = ("year", "month")
_NO_TAG_LETTER = re.compile(r"[^\w\-. ]+")
MOST_TAGS = 50


@dataclass(frozen=True)
class Dataset:
    """`stamp` is what changes with the data; empty where the portal does not say when it did.

    `place` is the name of the field with a row's place, `files` the names of those with a file.
    """

    id: str
    fields: Mapping[str, Any]
    columns: list[TypedColumn]
    place: str | None
    place_type: str
    files: frozenset[str]
    row_count: int | None
    has_rows: bool
    stamp: str
    attachments: list[tuple[str, str, str]]

    @classmethod
    def of(cls, about: Any) -> Dataset:
        """Raises ApiRefused for what is no dataset of the Explore API."""
        try:
            return cls._of(about)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ApiRefused(
                "The portal does not describe its datasets as Opendatasoft's Explore API does."
            ) from error

    @classmethod
    def _of(cls, about: Mapping[str, Any]) -> Dataset:
        metas = (about.get("metas") or {}).get("default") or {}
        fields = [each for each in about.get("fields") or [] if each["type"] in _TYPES]
        kinds = {each["name"]: each["type"] for each in fields}
        place = next((name for kind in _PLACES for name in kinds if kinds[name] == kind), None)
        count = metas.get("records_count")
        return cls(
            id=str(about["dataset_id"]),
            fields=_fields(about, metas),
            columns=[_column(each) for each in fields if each["name"] != place],
            place=place,
            place_type=kinds.get(place or "", ""),
            files=frozenset(name for name, kind in kinds.items() if kind == "file"),
            row_count=count if type(count) is int else None,
            has_rows=bool(about.get("has_records", True) and about.get("data_visible", True)),
            stamp=" ".join(
                str(metas.get(name) or "") for name in ("data_processed", "modified")
            ).strip(),
            attachments=[
                (str(each["id"]), str(each.get("title") or each["id"]), str(each.get("mimetype")))
                for each in about.get("attachments") or []
            ],
        )

    def row(self, given: Mapping[str, Any]) -> list[Any]:
        """The values of a record, and its place as GeoJSON. Raises ApiRefused."""
        try:
            values = [self._value(column.name, given.get(column.name)) for column in self.columns]
            return [*values, *([self._place(given.get(self.place))] if self.place else [])]
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiRefused("The portal's rows are no records of Opendatasoft.") from error

    def _value(self, name: str, value: Any) -> Any:
        if name in self.files and isinstance(value, dict):
            return value.get("url") or value.get("filename")
        return value

    def _place(self, value: Any) -> Any:
        if not value:
            return None
        if self.place_type == "geo_shape":
            return value.get("geometry", value)
        return {"type": "Point", "coordinates": [value["lon"], value["lat"]]}


def _column(about: Mapping[str, Any]) -> TypedColumn:
    name, label = str(about["name"]), str(about.get("label") or "")
    notes = _annotations(about.get("annotations"))
    # A year or a month is written as such, and is no date then.
    is_day = notes.get("timeserie_precision") not in _NO_DAYS
    texts = (label if label.casefold() != name.casefold() else "", about.get("description"))
    return TypedColumn(
        name,
        _TYPES[about["type"]] if is_day else None,
        notes.get("unit"),
        " – ".join(markup.plain(text) for text in texts if text) or None,
    )


def _annotations(said: Any) -> dict[str, str]:
    """Annotations of a field, which are an object or a list of name and arguments."""
    pairs = list(said.items()) if isinstance(said, dict) else []
    if isinstance(said, list):
        pairs = [(each.get("name"), each.get("args")) for each in said if isinstance(each, dict)]
    found = {}
    for name, value in pairs:
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, str) and first:
            found[str(name)] = first
    return found


def _fields(about: Mapping[str, Any], metas: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "title": metas.get("title") or about["dataset_id"],
        "notes": markup.plain(metas.get("description")),
        "license_id": _licence(metas),
        "tags": tags(metas.get("keyword")),
        "contact_name": metas.get("publisher"),
        "update_frequency": _frequency(about, metas),
    }
    return {key: value for key, value in found.items() if value}


def _licence(metas: Mapping[str, Any]) -> str:
    address, name = (str(metas.get(key) or "").strip() for key in ("license_url", "license"))
    known = dcat_words.licence(address) if address else ""
    return known if known and known != address else dcat_words.licence_named(name)


def _frequency(about: Mapping[str, Any], metas: Mapping[str, Any]) -> str | None:
    dcat = (about.get("metas") or {}).get("dcat") or {}
    said = metas.get("update_frequency") or dcat.get("accrualperiodicity")
    return dcat_words.frequency(str(said)) if said else None


def tags(said: Any) -> list[str]:
    """Keywords (a list, or texts with commas) in the letters that CKAN's tags have."""
    words = said if isinstance(said, list) else str(said or "").split(",")
    found: dict[str, str] = {}
    for word in words:
        text = " ".join(_NO_TAG_LETTER.sub(" ", str(word)).split())
        if 2 <= len(text) <= 100:
            found.setdefault(text.casefold(), text)
    return list(found.values())[:MOST_TAGS]
