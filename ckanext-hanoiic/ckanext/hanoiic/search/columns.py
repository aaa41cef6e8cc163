"""What of a dataset's tables is searched: their names, and the words and units of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

WORDS = ("name", "ascii", "title", "title_en", "unit", "description")


def column_fields(dataset: Mapping[str, Any]) -> dict[str, str]:
    """The fields of the index document; one text each, as Solr's schema wants it too."""
    resources = dataset.get("resources") or []
    tables = [str(resource["lake_table"]) for resource in resources if resource.get("lake_table")]
    columns = list(dict.fromkeys(text for resource in resources for text in _columns(resource)))
    fields = {"extras_tables": tables, "extras_columns": columns}
    return {name: "; ".join(values) for name, values in fields.items() if values}


def _columns(resource: Mapping[str, Any]) -> Iterator[str]:
    for column in resource.get("columns") or []:
        if isinstance(column, dict):
            words = dict.fromkeys(str(column[key]) for key in WORDS if column.get(key))
            if words:
                yield " ".join(words)
