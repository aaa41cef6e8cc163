"""What goes with every answer: which versions of which tables it is made of, under which licences,
and what its columns mean."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from api_gateway.shelf import Shelved, instant
from lake import Column

# Proxies keep an answer's headers in one page of memory or two.
_COLUMNS_BYTES = 2048
_TEXT_BYTES = 1024
_DESCRIBED = ("unit", "title", "title_en", "description")


def text(shelved: Iterable[Shelved]) -> str:
    """The words to show beside the data, a sentence for each table."""
    return " ".join(_sentence(each) for each in shelved)


def _sentence(shelved: Shelved) -> str:
    licence, dataset = shelved.decision.licence, shelved.decision.dataset
    parts = [
        licence.get("attribution"),
        f"«{dataset.get('title') or shelved.table}», {shelved.table} phiên bản "
        f"{shelved.version.number} ({instant(shelved.version)[:10]})",
        licence.get("title") or licence.get("id"),
        dataset.get("url"),
    ]
    return ". ".join(str(part) for part in parts if part) + "."


def described(column: Column) -> dict[str, str]:
    """What people read of a lake column, beside its name; `lake_type` where Arrow's says less."""
    facts = {key: value for key in _DESCRIBED if (value := getattr(column, key))}
    return {**facts, "lake_type": column.type} if column.type == "geometry" else facts


def columns_header(columns: Iterable[Mapping[str, Any]]) -> str | None:
    """`Hanoiic-Columns`: names, types and units as JSON in ASCII; None when it is too long."""
    short = [
        {key: each[key] for key in ("name", "type", "unit") if key in each} for each in columns
    ]
    header = json.dumps(short, separators=(",", ":"))
    return header if len(header) <= _COLUMNS_BYTES else None


@lru_cache(maxsize=1024)
def _percent_encoded(words: str) -> str:
    return quote(words, safe=" !#$&'()*+,/:;=?@[]~.-_")


def text_header(shelved: Iterable[Shelved]) -> str | None:
    """`Hanoiic-Attribution`: `text`, percent-encoded UTF-8; None when it is too long."""
    header = _percent_encoded(text(shelved))
    return header if 0 < len(header) <= _TEXT_BYTES else None
