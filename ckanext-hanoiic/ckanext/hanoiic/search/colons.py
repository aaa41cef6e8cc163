"""A colon that a reader means as one: ``Xe buýt Hà Nội: tuyến, điểm dừng`` names no field ``Nội``.

CKAN takes any query with a colon for Lucene's syntax, and its schema lets every name be a field's,
so a title from a list, pasted into the search box, would find nothing.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from .freshness import FIELD
from .solr_schema import SolrSchema

_NAME = r"[^\s:()\[\]{}\"+!-]"
# From the beginning of a name alone: tried at each of its letters, a long text took minutes.
_COLON = re.compile(rf"(?<!{_NAME})(?P<name>{_NAME}*):(?P<apart>\s|$|//)?")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*\Z", re.ASCII)
_ANY_NAME = "*"


def as_words(q: str, schema: SolrSchema) -> str:
    """``q`` without its colons where none of them follows a field's name."""
    if "\\:" in q or q.lstrip().startswith("{!"):
        return q
    if any(_is_syntax(colon, schema) for colon in _COLON.finditer(q)):
        return q
    return q.replace(":", " ")


def _is_syntax(colon: re.Match[str], schema: SolrSchema) -> bool:
    name = colon["name"]
    if name in (_ANY_NAME, FIELD) or name in schema.fields or _is_dynamic(name, schema):
        return True
    return colon["apart"] is None and bool(_IDENTIFIER.match(name))


def _is_dynamic(name: str, schema: SolrSchema) -> bool:
    patterns = (field.name for field in schema.dynamic if field.name != _ANY_NAME)
    return any(fnmatchcase(name, pattern) for pattern in patterns)
