"""What an offer shows of a table, as the spec of an edition, and its checks when the offer is
saved.

The lake reads the same JSON (docs/architecture.md, "Editions") and checks it again against the
table itself; here an officer is told what is wrong while the form is open.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785
from ckanext.hanoiic.licensing.errors import OfferInvalid
from ckanext.hanoiic.licensing.filter_values import fits, is_number
from ckanext.hanoiic.licensing.model import Offer

DROP = "drop"
TIME_UNITS = ("hour", "day", "week", "month", "quarter", "year")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "in")
OPERATORS = (*COMPARISONS, "not_null", "is_null")
MOST_SAMPLE_ROWS = 100_000
MOST_PREDICATES = 20
MOST_LENGTH = 1000
# The largest integer of JSON's canonical form.
MOST_EXACT = 2**53 - 1


def hides(offer: Offer) -> bool:
    """Whether those who hold an agreement get less than the whole table."""
    held_sample = bool(offer.sample and offer.sample.get("holders"))
    return offer.columns is not None or bool(offer.masks or offer.row_filter) or held_sample


def spec(offer: Offer, salt_id: str, *, sample: bool = False) -> dict[str, Any] | None:
    """The spec of an offer's edition, or of its sample; None where it shows the whole table.

    ``salt_id``: the agreement or offer whose key hashes columns. It is left out when no column is
    hashed, so that all agreements of an offer share one edition.
    """
    if not (sample or hides(offer)):
        return None
    sampled = offer.sample and (sample or offer.sample.get("holders"))
    return {
        "columns": offer.columns,
        "masks": offer.masks,
        "where": offer.row_filter,
        "sample": {key: offer.sample[key] for key in ("rows", "by")} if sampled else None,
        "salt_id": salt_id if is_salted(offer) else None,
    }


def is_salted(offer: Offer) -> bool:
    return any(mask["kind"] == "hash" for mask in offer.masks.values())


def edition_id(table: str, spec: Mapping[str, Any]) -> str:
    """``e`` and 32 hexadecimal digits of the SHA-256 over the canonical JSON (RFC 8785)."""
    canonical = rfc8785.dumps(_exact({"table": table, "spec": dict(spec)}))
    return "e" + hashlib.sha256(canonical).hexdigest()[:32]


def _exact(value: Any) -> Any:
    """With integers beyond those that JSON's canonical form has as texts."""
    if isinstance(value, dict):
        return {key: _exact(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_exact(one) for one in value]
    return str(value) if isinstance(value, int) and abs(value) > MOST_EXACT else value


def checked(
    said: Mapping[str, Any], tables: Sequence[Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    """``columns``, ``masks``, ``row_filter`` and ``sample`` as an offer keeps them.

    ``tables``: the columns (``name``, ``type``) of each table the offer is about. Dropped columns
    become columns that are not listed, so that one that is added later is hidden too. Raises
    :class:`OfferInvalid` with the ``field`` and the ``problem``.
    """
    types = common(tables)
    columns = _columns(said.get("columns"), types)
    masks, dropped = _masks(said.get("masks") or {}, types)
    if dropped:
        columns = [name for name in columns or list(types) if name not in dropped]
    if columns == []:
        raise _wrong("columns", "no_columns")
    shown = types if columns is None else columns
    return {
        "columns": columns,
        "masks": {name: mask for name, mask in masks.items() if name in shown},
        "row_filter": _row_filter(said.get("row_filter") or [], types),
        "sample": _sample(said.get("sample"), types),
    }


def common(tables: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Name → type of the columns that all tables have with the same type."""
    if not tables:
        return {}
    each = [{column["name"]: column["type"] for column in columns} for columns in tables]
    return {
        name: kind
        for name, kind in each[0].items()
        if all(other.get(name) == kind for other in each[1:])
    }


def _columns(said: Any, types: Mapping[str, str]) -> list[str] | None:
    if said is None:
        return None
    if not isinstance(said, list) or not all(isinstance(name, str) for name in said):
        raise _wrong("columns", "not_a_list")
    for name in said:
        _known(name, types, "columns")
    return list(dict.fromkeys(said))


def _masks(said: Any, types: Mapping[str, str]) -> tuple[dict[str, dict[str, Any]], frozenset[str]]:
    if not isinstance(said, Mapping):
        raise _wrong("masks", "not_an_object")
    masks: dict[str, dict[str, Any]] = {}
    dropped = set()
    for name, mask in said.items():
        kind = _known(name, types, "masks")
        how = mask.get("kind") if isinstance(mask, Mapping) else None
        if how == DROP:
            dropped.add(name)
            continue
        if not isinstance(how, str) or how not in MASKS:
            raise _wrong("masks", "unknown_mask", column=name)
        applies, read = MASKS[how]
        if not applies.match(kind):
            raise _wrong("masks", "mask_of_type", column=name, type=kind)
        masks[name] = {"kind": how, **read(name, kind, mask)}
    return masks, frozenset(dropped)


def _length(name: str, kind: str, mask: Mapping[str, Any]) -> dict[str, Any]:
    length = mask.get("length")
    if type(length) is not int or not 0 <= length <= MOST_LENGTH:
        raise _wrong("masks", "length", column=name)
    return {"length": length}


def _width(name: str, kind: str, mask: Mapping[str, Any]) -> dict[str, Any]:
    width, origin = mask.get("width"), mask.get("origin", 0)
    if kind in ("date", "timestamp"):
        if width not in TIME_UNITS or (kind == "date" and width == "hour"):
            raise _wrong("masks", "width", column=name)
        return {"width": width}
    if not (is_number(width) and width > 0 and is_number(origin)):
        raise _wrong("masks", "width", column=name)
    return {"width": width, "origin": origin}


# Kind of mask → types it is for, and how its own fields are read.
MASKS: dict[str, tuple[re.Pattern[str], Any]] = {
    "hash": (re.compile(r"(?!list)"), lambda *_: {}),
    "truncate": (re.compile(r"(string|date|timestamp|time)$"), _length),
    "bucket": (re.compile(r"(int64|float64|decimal.*|date|timestamp)$"), _width),
    "round_geo": (re.compile(r"(geometry|float64)$"), lambda *_: {"to": "ward"}),
}


def _row_filter(said: Any, types: Mapping[str, str]) -> list[dict[str, Any]]:
    if not isinstance(said, list) or len(said) > MOST_PREDICATES:
        raise _wrong("row_filter", "not_a_list")
    return [_predicate(one, types) for one in said]


def _predicate(said: Any, types: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(said, Mapping) or set(said) - {"column", "op", "value"}:
        raise _wrong("row_filter", "not_a_predicate")
    name, op, value = said.get("column"), said.get("op"), said.get("value")
    kind = _known(name, types, "row_filter")
    if op not in OPERATORS:
        raise _wrong("row_filter", "unknown_operator", column=name)
    if op in ("not_null", "is_null"):
        return {"column": name, "op": op}
    values = value if op == "in" else [value]
    if not isinstance(values, list) or not values:
        raise _wrong("row_filter", "value", column=name, type=kind)
    if not all(fits(one, kind) for one in values):
        raise _wrong("row_filter", "value", column=name, type=kind)
    return {"column": name, "op": op, "value": value}


def _sample(said: Any, types: Mapping[str, str]) -> dict[str, Any] | None:
    if said is None:
        return None
    if not isinstance(said, Mapping) or set(said) - {"rows", "by", "holders"}:
        raise _wrong("sample", "not_an_object")
    rows, by = said.get("rows"), said.get("by") or None
    if type(rows) is not int or not 1 <= rows <= MOST_SAMPLE_ROWS:
        raise _wrong("sample", "sample_rows", most=MOST_SAMPLE_ROWS)
    if by is not None and re.match(r"list|geometry|binary", _known(by, types, "sample")):
        raise _wrong("sample", "sample_by", column=by)
    return {"rows": rows, "by": by, "holders": bool(said.get("holders"))}


def _known(name: Any, types: Mapping[str, str], field: str) -> str:
    if not isinstance(name, str) or name not in types:
        raise _wrong(field, "unknown_column", column=str(name))
    return types[name]


def _wrong(field: str, problem: str, **facts: Any) -> OfferInvalid:
    return OfferInvalid(f"{field}: {problem}", field=field, problem=problem, **facts)
