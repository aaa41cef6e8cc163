"""What a Socrata site says of a dataset, in the portal's words: its columns, its fields.

https://dev.socrata.com/docs/datatypes/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harvesters.connectors import dcat_words, markup
from harvesters.connectors.opendatasoft_words import tags
from harvesters.connectors.typed_rows import TypedColumn
from harvesters.errors import ApiRefused

# Numbers have no type of their own in SODA: whether they are whole is seen in them.
_TYPES = {
    **dict.fromkeys(("text", "html", "email", "phone", "url", "drop_down_list", "flag"), "string"),
    **dict.fromkeys(("photo", "document", "dataset_link", "json", "blob"), "string"),
    **dict.fromkeys(("number", "double", "money", "percent", "stars"), None),
    **dict.fromkeys(("calendar_date", "fixed_timestamp", "date"), "timestamp"),
    "checkbox": "boolean",
}
# The first of these is a row's place; the others stay texts.
_PLACES = ("multipolygon", "polygon", "multiline", "line", "multipoint", "point", "location")


@dataclass(frozen=True)
class View:
    """A dataset's rows: their columns, the field of their place, and when they changed (in seconds
    since 1970; None where the site does not say it). `kinds` are SODA's types by field."""

    columns: list[TypedColumn]
    kinds: Mapping[str, str]
    place: str | None
    changed: int | None

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> View:
        """Raises ApiRefused for what is no view of SODA, or one without rows."""
        try:
            return cls._of(about)
        except (KeyError, TypeError, AttributeError) as error:
            raise ApiRefused("The site does not describe its dataset as Socrata does.") from error

    @classmethod
    def _of(cls, about: Mapping[str, Any]) -> View:
        fields = [each for each in about["columns"] if _is_shown(each)]
        if not fields:
            raise ApiRefused("The dataset has no columns: it is a file, a map, or a link.")
        kinds = {str(each["fieldName"]): str(each["dataTypeName"]) for each in fields}
        place = next((name for kind in _PLACES for name in kinds if kinds[name] == kind), None)
        columns = [_column(each) for each in fields if each["fieldName"] != place]
        if place and kinds[place] == "location":
            columns.append(TypedColumn(f"{place}_address", "string"))
        changed = about.get("rowsUpdatedAt")
        return cls(columns, kinds, place, changed if type(changed) is int else None)

    def row(self, given: Any) -> list[Any]:
        """The values of a row, its place as GeoJSON, and its identifier. Raises ApiRefused."""
        try:
            values = [_value(given.get(column.name)) for column in self.columns]
            if self.place is None:
                return [*values, given[":id"]]
            place = given.get(self.place)
            if self.kinds[self.place] == "location" and place:
                values[-1] = place.get("human_address")
                place = _point(place)
            return [*values, place or None, given[":id"]]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ApiRefused("The site's rows are none of SODA.") from error


def _is_shown(field: Mapping[str, Any]) -> bool:
    # Regions that the site computes, and what its owner hid, are not given as rows.
    name = str(field["fieldName"])
    return (
        not name.startswith(":")
        and "hidden" not in (field.get("flags") or [])
        and field["dataTypeName"] in {**_TYPES, **dict.fromkeys(_PLACES)}
    )


def _column(field: Mapping[str, Any]) -> TypedColumn:
    name, label = str(field["fieldName"]), str(field.get("name") or "")
    texts = (label if label.casefold() != name.casefold() else "", field.get("description"))
    currency = (field.get("format") or {}).get("currency")
    return TypedColumn(
        name,
        _TYPES.get(field["dataTypeName"], "string"),
        str(currency) if currency else None,
        " – ".join(markup.plain(text) for text in texts if text) or None,
    )


def _value(value: Any) -> Any:
    return value.get("url") if isinstance(value, dict) and "url" in value else value


def _point(place: Mapping[str, Any]) -> dict[str, Any] | None:
    if place.get("longitude") in (None, "") or place.get("latitude") in (None, ""):
        return None
    return {"type": "Point", "coordinates": [float(place["longitude"]), float(place["latitude"])]}


def fields(found: Mapping[str, Any]) -> dict[str, Any]:
    """The catalogue's fields of a dataset that the site's own catalogue lists."""
    resource, said = found["resource"], found.get("classification") or {}
    words = [*(said.get("domain_tags") or []), *(said.get("tags") or [])]
    written = str((found.get("metadata") or {}).get("license") or "")
    given = {
        "title": resource["name"],
        "notes": markup.plain(resource.get("description")),
        "license_id": dcat_words.licence_named(written),
        "tags": tags(words),
        "contact_name": resource.get("attribution"),
    }
    return {key: value for key, value in given.items() if value}


def as_listed(about: Mapping[str, Any]) -> dict[str, Any]:
    """A view as the catalogue would list it."""
    licence = about.get("license") or {}
    return {
        "resource": {key: about.get(key) for key in ("id", "name", "description", "attribution")},
        "classification": {"domain_tags": about.get("tags") or []},
        "metadata": {"license": licence.get("name") or ""},
    }
