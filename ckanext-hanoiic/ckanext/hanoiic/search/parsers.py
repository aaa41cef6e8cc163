"""Solr's query parsers: a query or filter, its local parameters ``{!type key=value}`` → tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import dismax, lucene, synonyms
from .errors import FeatureUnsupported, QueryTooComplex, SyntaxRefused
from .fields import Fields
from .functions import functions_of
from .lucene import Reading
from .tree import Bool, Everything, Node, Pattern, Phrase, Scored, Term, Wild

# What would change the answer and can't be done; other parameters of Solr change nothing here.
REFUSED = (
    "bq",
    "uf",
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


def parse(text: str, parameters: Mapping[str, Any], is_filter: bool) -> Node:
    """A query or filter in the syntax that its local parameters or ``defType`` name."""
    local, rest = local_parameters(text)
    kind = local.get("type") or ("lucene" if is_filter else parameters.get("defType") or "lucene")
    if kind not in _PARSERS:
        raise FeatureUnsupported(f"the query parser {kind!r}")
    for name in REFUSED:
        if name in local:
            raise FeatureUnsupported(f"the parameter {name}")
    return _PARSERS[kind](local.get("v", rest), {**parameters, **local})


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


def texts_of(value: Any) -> list[str]:
    """A parameter that may be given more than once."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(text) for text in value]


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
        settings,
    )


def _dismax(text: str, settings: Mapping[str, Any]) -> Node:
    everything = text.strip() in ("*:*", "*")
    found = Everything() if everything else dismax.parse(text, _qf(settings))
    return _scored(found, settings, ("bf",))


def _edismax(text: str, settings: Mapping[str, Any]) -> Node:
    found = dismax.parse_extended(text, _qf(settings), _reading(settings))
    return _scored(found, settings, ("bf", "boost"))


def _scored(node: Node, settings: Mapping[str, Any], read: tuple[str, ...]) -> Node:
    """With the functions of ``bf`` and ``boost``; Solr's DisMax reads no ``boost``."""
    functions = {
        name: tuple(f for text in texts_of(settings.get(name)) for f in functions_of(text))
        for name in read
    }
    if not any(functions.values()):
        return node
    return Scored(node, functions.get("bf", ()), functions.get("boost", ()))


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


def _whole_value(text: str, settings: Mapping[str, Any]) -> Node:
    return Term(_field(settings), text)


def _phrase(text: str, settings: Mapping[str, Any]) -> Node:
    return Phrase(_field(settings), text)


def _prefix(text: str, settings: Mapping[str, Any]) -> Node:
    return Pattern(_field(settings), (text, Wild.ANY))


def _any_value(text: str, settings: Mapping[str, Any]) -> Node:
    values = [value.strip() for value in text.split(settings.get("separator") or ",")]
    if len(values) > lucene.MOST_CLAUSES:
        raise QueryTooComplex(f"more than {lucene.MOST_CLAUSES} values")
    field = _field(settings)
    return Bool(should=tuple(Term(field, value) for value in values), at_least=1)


def _field(settings: Mapping[str, Any]) -> str:
    if not settings.get("f"):
        raise SyntaxRefused("this query parser needs a field: f=…")
    return str(settings["f"])


_PARSERS = {
    "bool": _bool,
    "dismax": _dismax,
    "edismax": _edismax,
    "field": _phrase,
    "lucene": _lucene,
    "prefix": _prefix,
    "term": _whole_value,
    "terms": _any_value,
}
