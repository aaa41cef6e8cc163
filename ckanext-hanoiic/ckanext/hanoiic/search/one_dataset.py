"""CKAN's question for one dataset by its name or id, which every ``package_show`` begins with.

It needs no ranking, no counts and no snapshot of several statements: one look into the index of
words and one row. Any other question, and one that two datasets answer, is a search as ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from . import vietnamese
from .document import LARGE_FIELDS
from .lexemes import lexeme, quoted

# As ``PackageSearchQuery.get_index`` writes it; what would need an escape is left to the parser.
_QUESTION = re.compile(r'name:"([^"\\]+)" OR id:"\1"')
_FILTER = re.compile(r'\+site_id:"([^"\\]+)" \+entity_type:package')
_PARAMETERS = {"rows", "fq", "wt"}

# The filters are looked at in the row: their lists in the index hold the whole catalogue.
ASKED = (
    "SELECT stored, data_dict, validated_data_dict FROM hanoiic_search.entry e"
    " JOIN hanoiic_search.body USING (number)"
    " WHERE e.lexemes @@ %s::tsquery AND (e.lexemes || ''::tsvector) @@ %s::tsquery LIMIT 2"
)


def asked_for(q: str | None, parameters: Mapping[str, Any]) -> tuple[str, str] | None:
    """The conditions of such a question, None for any other."""
    if parameters.keys() != _PARAMETERS or str(parameters["rows"]) != "1":
        return None
    question = _QUESTION.fullmatch(q or "")
    filtered = _FILTER.fullmatch(str(parameters["fq"]))
    if question is None or filtered is None:
        return None
    name, site = vietnamese.storable(question[1]), vietnamese.storable(filtered[1])
    either = " | ".join(quoted(lexeme(field, "=", name)) for field in ("name", "id"))
    both = (lexeme("site_id", "=", site), lexeme("entity_type", "=", "package"))
    return either, " & ".join(map(quoted, both))


def found(connection: sa.Connection, asked: tuple[str, str]) -> list[dict[str, Any]]:
    """The documents, at most two."""
    rows = connection.exec_driver_sql(ASKED, asked).all()
    return [
        stored | {k: v for k, v in zip(LARGE_FIELDS, large, strict=True) if v is not None}
        for stored, *large in rows
    ]
