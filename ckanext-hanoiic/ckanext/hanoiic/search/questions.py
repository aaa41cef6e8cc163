"""What the index is asked beside CKAN's own questions, and how its answers are read.

``freshness`` is a facet and filter that no index holds: a question names it like any other field,
and the index is asked for the due times instead. A question in plain words may be answered with
datasets that have some of them (``some_words``).
"""

from __future__ import annotations

from typing import Any

import flask
from ckan.common import config
from ckan.plugins import toolkit as tk

from . import colons, freshness
from .seam import SCHEMES
from .solr_schema import ckan_schema
from .some_words import FOUND_WORDS

# Where the number of facet values that a caller wants waits while all are counted.
LIMIT = "hanoiic_facet_limit"
ALL = -1
# Solr's `mm` as CKAN sends it: of two words both, of five all but one, of more four in five.
ALL_WORDS = "2<-1 5<80%"
SOME_WORDS = f"{ALL_WORDS} | 60% | 40% | 1"  # and what is tried in turn where that finds too little


def asked(search_params: dict[str, Any]) -> dict[str, Any]:
    """A question as the index can answer it."""
    if isinstance(search_params.get("q"), str) and config["solr_url"].startswith(SCHEMES):
        search_params["q"] = colons.as_words(search_params["q"], ckan_schema())
        if search_params["q"].isspace():  # no word: about everything, as CKAN takes the empty text
            search_params["q"] = ""
    if _may_relax(search_params):
        search_params["mm"] = SOME_WORDS
    for name in ("q", "fq"):
        if isinstance(search_params.get(name), str):
            search_params[name] = freshness.in_filter(search_params[name])
    if search_params.get("fq_list"):
        search_params["fq_list"] = [freshness.in_filter(str(fq)) for fq in search_params["fq_list"]]
    fields = search_params.get("facet.field") or []
    if freshness.FIELD in fields:
        search_params["facet.field"] = [
            freshness.DUE if field == freshness.FIELD else field for field in fields
        ]
        # A sum over the first fifty moments would be none of all.
        search_params.setdefault("extras", {})[LIMIT] = search_params.get("facet.limit")
        search_params["facet.limit"] = ALL
    return search_params


def _may_relax(search_params: dict[str, Any]) -> bool:
    return (
        config["hanoiic.search.relax"]
        and config["solr_url"].startswith(SCHEMES)
        and not search_params.get("mm")
        and (search_params.get("defType") or "dismax") == "dismax"
    )


def answered(search_results: dict[str, Any], search_params: dict[str, Any]) -> dict[str, Any]:
    """The answer to what was asked: datasets by freshness, as many values as were wanted."""
    extras = search_params.get("extras") or {}
    if LIMIT not in extras:
        return search_results
    due = search_results["search_facets"].pop(freshness.DUE, {"items": []})
    counts = freshness.counted(due["items"], search_results["count"])
    search_results["search_facets"][freshness.FIELD] = {
        "title": freshness.FIELD,
        "items": [
            {"name": name, "display_name": _words(name), "count": count}
            for name, count in counts.items()
        ],
    }
    search_results["facets"].pop(freshness.DUE, None)
    search_results["facets"][freshness.FIELD] = counts
    _shorten(search_results, extras.pop(LIMIT))
    return search_results


def _words(name: str) -> str:
    """A value as the portal's pages say it, where there is a page and a reader."""
    if flask.has_request_context() and "hanoiic_facet_label" in tk.h:
        return str(tk.h.hanoiic_facet_label(freshness.FIELD, name))
    return name


def _shorten(search_results: dict[str, Any], limit: Any) -> None:
    if limit is None or int(limit) < 0:
        return
    for field, facet in search_results["search_facets"].items():
        if field == FOUND_WORDS:
            continue
        most = sorted(facet["items"], key=lambda item: -item["count"])[: int(limit)]
        facet["items"] = most
        kept = {item["name"] for item in most}
        counts = search_results["facets"][field]
        search_results["facets"][field] = {k: n for k, n in counts.items() if k in kept}
