"""Solr's request parameters → what to match, rank, sort, count and answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .errors import FeatureUnsupported, ValueRefused
from .facets import whole
from .parsers import REFUSED, parse, texts_of
from .tree import Bool, Node
from .vietnamese import storable

DEFAULT_ROWS = 10
MOST_NAMED = 40  # fields; a function of PostgreSQL takes a hundred arguments
# Solr would calculate, rename or describe.
_GLOB = frozenset("*?")
_NO_NAME = re.compile(r"[(){}\[\]:\"'$]")


@dataclass(frozen=True)
class Request:
    query: Node
    filters: tuple[Node, ...]
    sort: str | None
    start: int
    rows: int
    fields: tuple[str, ...]  # names and globs (`extras_*`); empty: all stored fields

    @property
    def filtered(self) -> Node:
        """What a row must match."""
        return Bool(must=(self.query, *self.filters))

    @property
    def named(self) -> tuple[str, ...]:
        """The fields to answer with, where one question can name each."""
        plain = len(self.fields) <= MOST_NAMED and not any(_GLOB & set(f) for f in self.fields)
        return tuple(map(storable, self.fields)) if plain else ()

    def wants(self, name: str) -> bool:
        """Whether a stored field belongs in the answer."""
        return not self.fields or any(fnmatchcase(name, field) for field in self.fields)


def request_of(q: str | None, parameters: Mapping[str, Any]) -> Request:
    """Read a query; raises SearchFailed for what can't be done."""
    for name in REFUSED:
        if parameters.get(name):
            raise FeatureUnsupported(f"the parameter {name}")
    return Request(
        parse(q or "*:*", parameters, is_filter=False),
        tuple(
            parse(text, parameters, is_filter=True)
            for text in texts_of(parameters.get("fq"))
            if text.strip()
        ),
        parameters.get("sort"),
        _count(parameters.get("start") or 0, "start"),
        _count(parameters.get("rows", DEFAULT_ROWS), "rows"),
        _fields(parameters.get("fl")),
    )


def _count(value: Any, name: str) -> int:
    found = whole(value, name)
    if found < 0:
        raise ValueRefused(f"{name}={found} is below 0")
    return found


def _fields(value: Any) -> tuple[str, ...]:
    names = [name for text in texts_of(value) for name in re.split(r"[\s,]+", text) if name]
    for name in names:
        if _NO_NAME.search(name):
            raise FeatureUnsupported(f"fl: {name!r}, which is no field's name")
    return () if "*" in names else tuple(dict.fromkeys(names))
