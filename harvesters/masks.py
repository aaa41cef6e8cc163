"""Masks: what an officer will not have published of a column is gone before anything else sees it.

| mask | what is left |
|---|---|
| `drop` | no column |
| `hash` | 32 hexadecimal digits: HMAC-SHA-256 (RFC 2104) under a key of the source, half of it |
| `truncate` | of a date its year, of an e-mail address its domain, else up to 3 letters, `***` |

They are applied to the texts on the workbench, right after decoding: types, rejected rows, reports,
previews and the lake only ever meet masked values.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace

from harvesters.errors import MaskKeyMissing
from harvesters.pins import pins_by_column
from harvesters.rawtable import RawTable
from harvesters.source import Options
from harvesters.workbench import Workbench, quoted
from lake import names

DROP, HASH, TRUNCATE = "drop", "hash", "truncate"
_BLOCK_BYTES = 64
_LEAST_KEY_BYTES = 16
_HEX_DIGITS = 32
_DATE = (
    "^(?:[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:19|20)[0-9]{2}"
    "|(?:19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2})(?:[ T].*)?$"
)


def source_key(secret: str | None, source_id: str) -> bytes | None:
    """The key of one source, made from the installation's secret: hashes of two sources never
    compare. None without a secret. Raises MaskKeyMissing when it is too short."""
    if secret is None:
        return None
    if len(secret.encode()) < _LEAST_KEY_BYTES:
        raise MaskKeyMissing(
            f"The secret for hashed columns has less than {_LEAST_KEY_BYTES} bytes."
        )
    return hmac.digest(secret.encode(), f"mask:{source_id}".encode(), hashlib.sha256)


def apply(table: RawTable, options: Options, bench: Workbench, key: bytes | None) -> None:
    """Mask the pinned columns of a table, in place. Raises MaskKeyMissing, and what pins raise."""
    masks = {
        column: pin.mask
        for column, pin in pins_by_column(table.columns, options).items()
        if pin.mask
    }
    if not masks:
        return
    bench.own(table.name)
    unique = names.column_names([column.header for column in table.columns])
    kept = []
    for column, name in zip(table.columns, unique, strict=True):
        mask = masks.get(column.key)
        # A column that goes must not give its name to its namesake.
        named = replace(column, header=name) if column.header else column
        if mask is None:
            kept.append(named)
            continue
        table.masked.append(name)
        table.messages.append(f"{name}: {_TOLD[mask]}")
        if mask == DROP:
            bench.execute(f"UPDATE {table.name} SET {quoted(column.key)} = NULL")  # noqa: S608
        else:
            _overwrite(table.name, column.key, mask, bench, key)
            kept.append(replace(named, type="string", format=None, native=False))
    table.columns = kept
    # A record that does not fit the columns is kept as it stands in the file: not with masks.
    table.rejected[:] = [replace(row, value=None) for row in table.rejected]


_TOLD = {
    DROP: "left out, as an officer decided",
    HASH: "published as keyed hashes, as an officer decided",
    TRUNCATE: "published shortened, as an officer decided",
}


def _overwrite(table: str, key_name: str, mask: str, bench: Workbench, key: bytes | None) -> None:
    column = quoted(key_name)
    bench.execute(f"ALTER TABLE {table} ALTER {column} TYPE VARCHAR")
    if mask == TRUNCATE:
        bench.execute(f"UPDATE {table} SET {column} = {truncated(column)}")  # noqa: S608
        return
    if key is None:
        raise MaskKeyMissing("A column is to be hashed, and the worker has no key for it.")
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    outer, inner = (bytes(byte ^ pad for byte in padded) for pad in (0x5C, 0x36))
    bench.execute(
        f"UPDATE {table} SET {column} = left(sha256("  # noqa: S608
        f"CAST(? AS BLOB) || unhex(sha256(CAST(? AS BLOB) || encode({column})))), {_HEX_DIGITS}) "
        f"WHERE {column} IS NOT NULL",
        [outer, inner],
    )


def truncated(text: str) -> str:
    """The SQL of a text's shortened form."""
    return (
        f"CASE WHEN regexp_matches({text}, '{_DATE}') "
        f"THEN regexp_extract({text}, '(?:19|20)[0-9][0-9]') "
        f"WHEN contains({text}, '@') "
        f"THEN '***@' || regexp_extract({text}, '@([A-Za-z0-9.-]*)', 1) "
        f"WHEN {text} IS NOT NULL "
        f"THEN left({text}, CAST(least(3, length({text}) // 3) AS BIGINT)) || '***' END"
    )


def shortened(text: str) -> str:
    """A text as `truncated` leaves it."""
    if re.match(_DATE, text) and (year := re.search("(?:19|20)[0-9]{2}", text)):
        return year[0]
    if "@" in text:
        domain = re.search("@([A-Za-z0-9.-]*)", text)
        return f"***@{domain[1] if domain else ''}"
    return f"{text[: min(3, len(text) // 3)]}***"
