"""Solr's request parameters → what to match, rank, sort, count and answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import dismax, lucene, synonyms
from .dismax import Fields
from .errors import FeatureUnsupported, SyntaxRefused
from .facets import whole
from .lucene import Reading
from .tree import Bool, Everything, Node

DEFAULT_ROWS = 10
# What would change the answer and can't be done; other parameters of Solr change nothing here.
REFUSED = (
    "bf",
    "boost",
    "group",
    "group.field",
    "hl",
    "stats",
    "collapse",
    "cursorMark",
    "json.facet",
)

_LOCAL_PARAMETERS = re.compile(
    r"\s*\{!(?P<inside>(?:[^}\"']|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')*)\}"
)
_LOCAL_PAIR = re.compile(
    r"""\s*(?:(?P<key>[\w.]+)=)?"""
    r"""(?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'|(?P<bare>[^\s"'}]+))"""
)


@dataclass(frozen=True)
class Request:
    query: Node
    filters: tuple[Node, ...]
    sort: str | None
    start: int
    rows: int
    fields: tuple[str, ...]  # empty: all stored fields

    @property
    def filtered(self) -> Node:
        """What a row must match."""
        return Bool(must=(self.query, *self.filters))


def request_of(q: str | None, parameters: Mapping[str, Any]) -> Request:
    """Read a query; raises SearchFailed for what can't be done."""
    for name in REFUSED:
        if parameters.get(name):
            raise FeatureUnsupported(f"the parameter {name}")
    return Request(
        parse(q or "*:*", parameters, is_filter=False),
        tuple(
            parse(text, parameters, is_filter=True)
            for text in _texts(parameters.get("fq"))
            if text.strip()
        ),
        parameters.get("sort"),
        max(0, whole(parameters.get("start") or 0, "start")),
        max(0, whole(parameters.get("rows", DEFAULT_ROWS), "rows")),
        _fields(parameters.get("fl")),
    )


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(text) for text in value]


def _fields(value: Any) -> tuple[str, ...]:
    names = [name for text in _texts(value) for name in re.split(r"[\s,]+", text) if name]
    return () if "*" in names else tuple(dict.fromkeys(names))


def parse(text: str, parameters: Mapping[str, Any], is_filter: bool) -> Node:
    """A query or filter in the syntax that its local parameters or ``defType`` name."""
    local, rest = local_parameters(text)
    kind = local.get("type") or ("lucene" if is_filter else parameters.get("defType") or "lucene")
    settings = {**parameters, **local}
    if kind not in _PARSERS:
        raise FeatureUnsupported(f"the query parser {kind!r}")
    return _PARSERS[kind](local.get("v", rest), settings)


def local_parameters(text: str) -> tuple[dict[str, str], str]:
    """``{!type key=value}rest`` → its parameters and the rest."""
    found = _LOCAL_PARAMETERS.match(text)
    if not found:
        return {}, text
    parameters = {}
    for pair in _LOCAL_PAIR.finditer(found["inside"]):
        value = next(pair[name] for name in ("double", "single", "bare") if pair[name] is not None)
        if pair["bare"] is None:
            value = re.sub(r"\\(.)", r"\1", value)
        elif value.startswith("$"):
            raise FeatureUnsupported("references in local parameters")
        parameters[pair["key"] or "type"] = value
    return parameters, text[found.end() :]


def _reading(settings: Mapping[str, Any]) -> Reading:
    return Reading(settings.get("df") or "text", str(settings.get("q.op") or "OR").upper() == "AND")


def _lucene(text: str, settings: Mapping[str, Any]) -> Node:
    return lucene.parse(text, _reading(settings))


def _qf(settings: Mapping[str, Any]) -> Fields:
    default_mm = "100%" if str(settings.get("q.op") or "OR").upper() == "AND" else "0%"
    return Fields.of(
        str(settings.get("qf") or settings.get("df") or "text"),
        settings.get("tie") or 0.0,
        settings.get("mm") or default_mm,
        synonyms.current(),
    )


def _dismax(text: str, settings: Mapping[str, Any]) -> Node:
    return Everything() if text.strip() in ("*:*", "*") else dismax.parse(text, _qf(settings))


def _edismax(text: str, settings: Mapping[str, Any]) -> Node:
    return dismax.parse_extended(text, _qf(settings), _reading(settings))


def _bool(_text: str, settings: Mapping[str, Any]) -> Node:
    def clause(name: str) -> tuple[Node, ...]:
        return (_lucene(settings[name], settings),) if settings.get(name) else ()

    found = Bool(
        must=(*clause("must"), *clause("filter")),
        should=clause("should"),
        must_not=clause("must_not"),
    )
    if not (found.must or found.should or found.must_not):
        raise SyntaxRefused("the bool parser got no clause")
    return found


_PARSERS = {"lucene": _lucene, "dismax": _dismax, "edismax": _edismax, "bool": _bool}
