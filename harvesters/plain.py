"""What a plain look says of a column: which readings accept all of its texts, and their cast.

A table of consequences; the readings themselves, asked, would say the same (a test asks them).
"""

from __future__ import annotations

import pyarrow as pa

from harvesters.census import DATE, NUMBER, TIMESTAMP, Look
from harvesters.readings import INFERRED, Reading

# Types that Arrow casts plain texts to just as DuckDB does.
_ARROW_TYPES = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
_SQL_TYPES = {"int64": "BIGINT", "float64": "DOUBLE", "date": "DATE", "timestamp": "TIMESTAMP"}
_ACCEPTED = {
    DATE: ("date_ymd", "timestamp_ymd", "timestamp_ymd_12"),
    TIMESTAMP: ("timestamp_ymd",),
}


def misses(look: Look) -> dict[str, int] | None:
    """For each inferred reading 0 where it accepts every text, else 1; None where not known."""
    if look.shape in _ACCEPTED:
        accepted = _ACCEPTED[look.shape]
    elif look.shape == NUMBER:
        accepted = _numbers(look)
    else:
        return None
    return {reading.name: int(reading.name not in accepted) for reading in INFERRED}


def cast(look: Look, reading: Reading, text: str, type_text: str) -> str | None:
    """The SQL of a text's value under a reading that accepts it; None where it takes more than a
    cast."""
    if misses(look) is None or (reading.decimal == "," and look.numbers and look.numbers.scale):
        return None
    return f"CAST({text} AS {_SQL_TYPES.get(type_text, type_text)})"


def arrow_type(type_text: str) -> pa.DataType | None:
    """The Arrow type that plain texts of a lake type are cast to; None where DuckDB has to."""
    return _ARROW_TYPES.get(type_text)


def _numbers(look: Look) -> tuple[str, ...]:
    numbers = look.numbers
    if numbers is None:
        return ()
    accepts = {
        "point": True,
        "comma": not numbers.scale,
        "grouped_by_point": numbers.fits_points,
        "grouped_by_comma": numbers.fits_groups,
        "grouped_by_space": numbers.fits_groups,
    }
    return tuple(name for name, accepted in accepts.items() if accepted)
