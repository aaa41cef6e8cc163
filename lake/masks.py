"""Masks: one column's values made into what an edition may show of them, batch by batch.

* `hash` of everything but lists: HMAC-SHA-256 (RFC 2104), hex, under the agreement's key. Equal
  values stay equal within one agreement, and mean nothing beside another's.
* `truncate` of texts, dates and instants: the first `length` characters (4 of a date's ISO form
  are its year).
* `bucket` of numbers: the lower end of the bucket, `origin + width * floor((x - origin) / width)`;
  of dates and instants: the beginning of the `hour`, `day`, `week`, `month`, `quarter` or `year`
  (UTC).
* `round_geo` of geometries: the representative point of the nearest ward (`lake.ward_points`); of
  numbers, a coordinate in degrees: to the nearest 0.05, about 5 km, the width of a ward. What is no
  place in degrees becomes NULL: metres would be rounded to 5 cm.

NULL stays NULL. A value that a mask does not fit, such as one whose bucket ends beyond its type, is
EditionSpecInvalid: it is shown to nobody.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from lake import ward_points
from lake.edition_spec import Mask
from lake.errors import EditionSpecInvalid

TIME_UNITS = ("hour", "day", "week", "month", "quarter", "year")
GRID_DEGREES = 0.05
_TYPE = b"hanoiic:type"
_UNIT = b"hanoiic:unit"
_TEXT_LIKE = (pa.types.is_string, pa.types.is_date, pa.types.is_timestamp)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)

Apply = Callable[[pa.Array], pa.Array]


def masked(field: pa.Field, mask: Mask, salt: bytes | None) -> tuple[pa.Field, Apply]:
    """The field as an edition shows it, and what makes its values. Raise EditionSpecInvalid."""
    shown, make = _of_kind(field, mask, salt)

    def apply(array: pa.Array) -> pa.Array:
        try:
            return make(array)
        except (pa.ArrowInvalid, ArithmeticError) as error:
            raise EditionSpecInvalid(
                f"a value of the column {field.name} does not fit to {mask.kind}",
                column=field.name,
            ) from error

    return shown, apply


def _of_kind(field: pa.Field, mask: Mask, salt: bytes | None) -> tuple[pa.Field, Apply]:
    kind, is_geometry = field.type, (field.metadata or {}).get(_TYPE) == b"geometry"
    if mask.kind == "hash" and not pa.types.is_nested(kind):
        if not salt:
            raise EditionSpecInvalid("a hashed column needs a salt", column=field.name)
        return _as(field, pa.string(), "string"), lambda array: _hashed(array, salt)
    if mask.kind == "truncate" and _is_text_like(kind):
        return _as(field, pa.string(), "string"), lambda array: _shortened(array, mask.length)
    if mask.kind == "bucket" and pa.types.is_temporal(kind) and mask.width in _units_of(kind):
        return field, lambda array: _floored(array, str(mask.width))
    if mask.kind == "bucket" and _is_number(kind) and _is_positive(mask.width):
        return _bucketed(field, mask)
    if mask.kind == "round_geo" and is_geometry:
        return field, ward_points.nearest
    if mask.kind == "round_geo" and pa.types.is_floating(kind):
        return field, _on_grid
    raise EditionSpecInvalid(f"no {mask.kind} of a {kind}", column=field.name, type=str(kind))


def _as(field: pa.Field, kind: pa.DataType, type_text: str) -> pa.Field:
    metadata = {**(field.metadata or {}), _TYPE: type_text.encode()}
    metadata.pop(_UNIT, None)
    return pa.field(field.name, kind, metadata=metadata)


def _is_text_like(kind: pa.DataType) -> bool:
    return any(holds(kind) for holds in _TEXT_LIKE)


def _is_number(kind: pa.DataType) -> bool:
    return any(holds(kind) for holds in _NUMBERS)


def _is_positive(width: float | str) -> bool:
    return isinstance(width, int | float) and width > 0


def _units_of(kind: pa.DataType) -> tuple[str, ...]:
    return TIME_UNITS[1:] if pa.types.is_date(kind) else TIME_UNITS


def _hashed(array: pa.Array, salt: bytes) -> pa.Array:
    encoded = array.dictionary_encode()
    values = encoded.dictionary
    if not pa.types.is_binary(values.type):
        values = values.cast(pa.string()).cast(pa.binary())
    digests = [
        None if value is None else hmac.digest(salt, value, hashlib.sha256).hex()
        for value in values.to_pylist()
    ]
    return pa.array(digests, pa.string()).take(encoded.indices)


def _shortened(array: pa.Array, length: int) -> pa.Array:
    return pc.utf8_slice_codeunits(array.cast(pa.string()), 0, length)


def _floored(array: pa.Array, unit: str) -> pa.Array:
    return pc.floor_temporal(array, unit=unit).cast(array.type)


def _bucketed(field: pa.Field, mask: Mask) -> tuple[pa.Field, Apply]:
    width, origin = float(mask.width), float(mask.origin)
    if pa.types.is_integer(field.type) and width.is_integer() and origin.is_integer():
        # Floats would lose the last digits of large numbers.
        whole, start = int(width), int(origin)
        return field, lambda array: pa.array(
            [
                None if x is None else (x - start) // whole * whole + start
                for x in array.to_pylist()
            ],
            field.type,
        )
    shown = pa.field(
        field.name, pa.float64(), metadata={**(field.metadata or {}), _TYPE: b"float64"}
    )
    return shown, lambda array: _bucket(array, width, origin)


def _on_grid(array: pa.Array) -> pa.Array:
    is_place = pc.less_equal(pc.abs(array), ward_points.MOST_DEGREES)
    places = pc.if_else(pc.fill_null(is_place, False), array, None)
    return _bucket(places, GRID_DEGREES, -GRID_DEGREES / 2, middle=True)


def _bucket(array: pa.Array, width: float, origin: float, *, middle: bool = False) -> pa.Array:
    steps = pc.floor(pc.divide(pc.subtract(array.cast(pa.float64()), origin), width))
    start = pc.add(pc.multiply(steps, width), origin)
    # Ten digits after the point: 1.05, not 1.0500000000000007.
    return pc.round(pc.add(start, width / 2) if middle else start, 10)
