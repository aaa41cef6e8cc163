"""How a careful client reads each format back: rows as dicts of Python values, nothing lost."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
import requests

# What a client makes of a JSON value or a CSV cell that is not null, by the column it knows.
FROM_TEXT: dict[str, Callable[[Any], Any]] = {
    "int64": int,
    "decimal": lambda text: Decimal(str(text)),
    "price": lambda text: Decimal(str(text)),
    "float64": float,
    "boolean": lambda text: (
        text if isinstance(text, bool) else {"true": True, "false": False}[text]
    ),
    "date": dt.date.fromisoformat,
    "timestamp": dt.datetime.fromisoformat,
    "time": dt.time.fromisoformat,
    "string": str,
    "binary": bytes.fromhex,
    "list": lambda value: value if isinstance(value, list) else json.loads(value),
    "hugeint": int,
    "struct": lambda value: value if isinstance(value, dict) else json.loads(value),
    "map": lambda value: value if isinstance(value, dict) else json.loads(value),
    "nan": float,
    "naive": dt.datetime.fromisoformat,
    "uuid": str,
}


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value is None else FROM_TEXT[name](value) for name, value in row.items()}


def _json(content: bytes) -> list[dict[str, Any]]:
    return [_typed(row) for row in json.loads(content, parse_float=Decimal)["rows"]]


def _ndjson(content: bytes) -> list[dict[str, Any]]:
    return [_typed(json.loads(line, parse_float=Decimal)) for line in content.split(b"\n") if line]


def _csv(content: bytes) -> list[dict[str, Any]]:
    # Tells NULL from an empty text, which QUOTE_NOTNULL does only from Python 3.13 on.
    parsed = pa.csv.read_csv(
        io.BytesIO(content),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(next(csv.reader([content.decode().partition("\n")[0]])),
                                       pa.string()),
            strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""],
        ),
    )  # fmt: skip
    return [_typed(row) for row in parsed.to_pylist()]


def _binary(table: pa.Table) -> list[dict[str, Any]]:
    rows = table.to_pylist()
    for row in rows:
        for name, value in row.items():
            if name == "map" and value is not None:
                row[name] = dict(value)
            if isinstance(value, Decimal) and name == "hugeint":
                row[name] = int(value)
    return rows


def _arrow(content: bytes) -> list[dict[str, Any]]:
    return _binary(pa.ipc.open_stream(content).read_all())


def _parquet(content: bytes) -> list[dict[str, Any]]:
    return _binary(pa.parquet.read_table(io.BytesIO(content)))


READERS = {"json": _json, "ndjson": _ndjson, "csv": _csv, "arrow": _arrow, "parquet": _parquet}


def metrics_of(gateway) -> dict[str, float]:
    """Every sample by its name and labels."""
    text = requests.get(gateway.metrics_url, timeout=10).text
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
