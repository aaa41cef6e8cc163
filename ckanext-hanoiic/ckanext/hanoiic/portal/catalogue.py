"""What the home page and the lists say about the whole catalogue."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import flask
from ckan import model
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.search import vietnamese
from sqlalchemy import text

NEWEST = 6
COUNTED = ("organization", "groups")
TOPIC_ICONS = {
    "transport": "bus",
    "environment": "leaf",
    "agriculture": "seedling",
    "planning": "map",
    "statistics": "chart-column",
    "health": "heart-pulse",
    "education": "graduation-cap",
    "business": "briefcase",
}

# Changes with every change of a dataset, and is read in a millisecond.
STAMP = text(
    """
    SELECT count(*) FILTER (WHERE state = 'active' AND type = 'dataset' AND NOT private),
           count(*) FILTER (WHERE state = 'active'),
           max(metadata_modified)
      FROM package
    """
)

FIGURES = text(
    """
    SELECT count(DISTINCT p.id) AS datasets,
           count(r.extras::jsonb ->> 'lake_table') AS tables,
           coalesce(sum((r.extras::jsonb ->> 'row_count')::numeric), 0) AS rows
      FROM package p
      LEFT JOIN resource r ON r.package_id = p.id AND r.state = 'active'
     WHERE p.state = 'active' AND p.type = 'dataset' AND NOT p.private
    """
)

OPEN_TABLE = text(
    """
    SELECT r.extras::jsonb ->> 'lake_table'
      FROM package p
      JOIN resource r ON r.package_id = p.id AND r.state = 'active'
     WHERE p.state = 'active' AND NOT p.private AND p.extras ->> 'access_tier' = 'open'
       AND r.extras::jsonb ->> 'lake_table' IS NOT NULL
     ORDER BY p.metadata_created, r.position
     LIMIT 1
    """
)

ENTITIES = text(
    """
    SELECT name, title, type, description, image_url, extras ->> 'title_en' AS title_en,
           coalesce(extras ->> 'org_kind', 'department') AS org_kind
      FROM "group"
     WHERE state = 'active'
     ORDER BY title
    """
)


def figures() -> dict[str, int]:
    """Counts of public datasets, their lake tables and the rows in them."""
    return _figures_at(stamp())


def stamp() -> tuple[Any, ...]:
    """A value that is the same as long as no dataset changes."""
    return tuple(model.Session.execute(STAMP).one())


@lru_cache(maxsize=1)
def _figures_at(_stamp: tuple[Any, ...]) -> dict[str, int]:
    return dict(model.Session.execute(FIGURES).mappings().one())


def example_table() -> str | None:
    """An open table for the examples on the home page; None while there is none."""
    return model.Session.execute(OPEN_TABLE).scalar()


def entities() -> dict[str, dict[str, Any]]:
    """Every topic and organisation by name, read once a request."""
    known = flask.g.get("hanoiic_entities")
    if known is None:
        rows = model.Session.execute(ENTITIES).mappings()
        known = flask.g.hanoiic_entities = {row["name"]: dict(row) for row in rows}
    return known


def entity_title(name: str, otherwise: str | None = None) -> str:
    """The name of a topic or organisation in the reader's language."""
    entity = entities().get(name)
    if entity is None:
        return otherwise or name
    if tk.h.lang() == "en" and entity["title_en"]:
        return entity["title_en"]
    return entity["title"] or name


def topic_icon(name: str) -> str:
    """The name of a topic's Font Awesome icon."""
    return TOPIC_ICONS.get(name, "folder-open")


def topics() -> list[dict[str, Any]]:
    """The topics with icon and count of datasets, in the order of ``TOPIC_ICONS``."""
    counts = dataset_counts("groups")
    order = {name: place for place, name in enumerate(TOPIC_ICONS)}
    found = [
        _card(name, counts, icon=topic_icon(name))
        for name, entity in entities().items()
        if entity["type"] == "group"
    ]
    return sorted(found, key=lambda topic: (order.get(topic["name"], len(order)), topic["title"]))


def departments(query: str = "") -> list[dict[str, Any]]:
    """The organisations that publish, those with most datasets first.

    ``query``: a part of their names, with or without diacritics.
    """
    counts = dataset_counts("organization")
    wanted = " ".join(vietnamese.fold(query).split())
    found = [
        _card(name, counts, description=entity["description"] or "", image=entity["image_url"])
        for name, entity in entities().items()
        if entity["type"] == "organization"
        and entity["org_kind"] == "department"
        and wanted in vietnamese.fold(f"{entity['title']} {entity['title_en'] or ''}")
    ]
    return sorted(found, key=lambda department: (-department["count"], department["title"]))


def newest() -> list[dict[str, Any]]:
    """The datasets changed last."""
    return _overview()["results"]


def dataset_counts(facet: str) -> dict[str, int]:
    """How many public datasets there are for each ``organization`` or of ``groups``."""
    return _overview()["facets"].get(facet, {})


def _overview() -> dict[str, Any]:
    """The newest datasets and all counts, by one question a request."""
    known = flask.g.get("hanoiic_overview")
    if known is None:
        known = flask.g.hanoiic_overview = _search(
            rows=NEWEST,
            sort="metadata_modified desc",
            **{"facet.field": list(COUNTED), "facet.limit": -1},
        )
    return known


def _card(name: str, counts: dict[str, int], **facts: Any) -> dict[str, Any]:
    return {"name": name, "title": entity_title(name), "count": counts.get(name, 0), **facts}


def _search(**query: Any) -> dict[str, Any]:
    context = {"user": tk.current_user.name, "auth_user_obj": tk.current_user}
    return tk.get_action("package_search")(context, {"q": "*:*", **query})
