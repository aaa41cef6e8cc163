"""Published tables to a dataset of the catalogue: an upsert that may be repeated.

A dataset is known by (`harvest_source`, `harvest_identifier`), a resource by its `lake_table`, a
link by its address. What officers added by hand, further fields or resources, stays; a link of the
source's goes with the source's. A table that the source has no longer stays as well, marked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harvesters.connectors.base import Link, Offer
from harvesters.errors import DatasetTaken, PortalRefused
from harvesters.portal import Portal
from harvesters.presence import MISSING
from harvesters.publish import Published
from harvesters.source import Source
from lake.store import Lake

DOWNLOAD = "{gateway}/v1/tables/{table}/download.csv"
# Fields that CKAN wants as lists of objects with a name.
_NAMED = ("tags", "groups")
_TEXT_BOOLEANS = ("is_simulated",)


@dataclass(frozen=True)
class TableEntry:
    """A published table and how its resource is called."""

    published: Published
    name: str
    description: str = ""


@dataclass(frozen=True)
class Registered:
    """The dataset after registering; `changed` is false when the portal had it all already. `left`
    are tables that were found to be left by the source now."""

    dataset_id: str
    name: str
    changed: bool
    left: list[str] = field(default_factory=list)


def register(
    offer: Offer,
    entries: list[TableEntry],
    source: Source,
    portal: Portal,
    lake: Lake,
    gateway_url: str,
    create: Callable[[dict[str, Any]], dict[str, Any]],
    known_id: str | None = None,
    may_exist: bool = True,
    listed: dict[str, Any] | None = None,
    there: Collection[str] | None = None,
) -> Registered:
    """Create or update the offer's dataset. `create` makes a new one of what `package_create`
    takes and answers its `id` and `name`, `known_id` is what an earlier run registered; not
    `may_exist`: nothing of the source was registered so far, so it is not looked for first.
    `listed` is the dataset as the portal's search tells it: it is asked for by itself only if that
    is not what is wanted. `there` are all tables that the source has now, None where not all are
    known.

    Raises DatasetTaken and the errors of `Portal`.
    """
    wanted = dataset_fields(offer, source)
    resources = [resource_fields(entry, lake, gateway_url) for entry in entries]
    # Where restricted data comes from is nobody's business but its department's.
    links = offer.links if source.is_open else []
    resources += [_link_fields(link) for link in links]
    if not may_exist:
        try:
            made = create({**wanted, "resources": resources})
            return Registered(made["id"], made["name"], True)
        except PortalRefused as refused:
            if "name" not in (refused.facts.get("fields") or {}):
                raise
    if listed is not None and _has_all(listed, _updated(listed, wanted, resources, there)):
        return Registered(listed["id"], listed["name"], False)
    existing = find(offer, source, portal, known_id)
    if existing is None:
        made = create({**wanted, "resources": resources})
        return Registered(made["id"], made["name"], True)
    updated = _updated(existing, wanted, resources, there)
    if _has_all(existing, updated):
        return Registered(existing["id"], existing["name"], False)
    made = portal.call("package_update", **updated)
    return Registered(made["id"], made["name"], True, left_tables(existing, there))


def left_tables(existing: Mapping[str, Any], there: Collection[str] | None) -> list[str]:
    """The tables of a dataset that its source has no longer, and that are not marked so yet."""
    return [
        resource["lake_table"]
        for resource in existing.get("resources") or []
        if _is_left(resource, there) and resource.get("harvest_state") != MISSING
    ]


def _is_left(resource: Mapping[str, Any], there: Collection[str] | None) -> bool:
    table = resource.get("lake_table")
    return there is not None and bool(table) and table not in there


def _updated(
    existing: dict[str, Any],
    wanted: dict[str, Any],
    resources: list[dict[str, Any]],
    there: Collection[str] | None,
) -> dict[str, Any]:
    merged = [
        _with_state(resource, there)
        for resource in _merge_resources(existing.get("resources") or [], resources)
    ]
    # The address people know stays.
    own = {"name": existing["name"], "state": "active", "resources": merged}
    return {**existing, **wanted, **own}


def _with_state(resource: dict[str, Any], there: Collection[str] | None) -> dict[str, Any]:
    """The resource of a table with the mark that it is left; nothing else has one."""
    if there is None or not resource.get("lake_table"):
        return resource
    if _is_left(resource, there):
        return {**resource, "harvest_state": MISSING}
    return {**resource, "harvest_state": ""} if resource.get("harvest_state") else resource


def _has_all(existing: dict[str, Any], updated: dict[str, Any]) -> bool:
    return all(_same(existing.get(key), value) for key, value in updated.items())


def find(
    offer: Offer, source: Source, portal: Portal, known_id: str | None
) -> dict[str, Any] | None:
    """The offer's dataset: by the id of an earlier run, by its name, or by what it says of itself.

    Raises DatasetTaken when the name belongs to something else.
    """
    known = portal.find("package_show", id=known_id) if known_id else None
    if known and _is_ours(known, offer, source):
        return dict(known)
    named = portal.find("package_show", id=offer.name)
    if named and _is_ours(named, offer, source):
        return dict(named)
    found = portal.call(
        "package_search",
        fq=f'harvest_source:"{_escaped(source.id)}" '
        f'AND harvest_identifier:"{_escaped(offer.identifier)}"',
        include_private=True,
        rows=1,
    )["results"]
    if found and _is_ours(found[0], offer, source):
        return dict(portal.call("package_show", id=found[0]["id"]))
    if named:
        raise DatasetTaken(
            f"The dataset {offer.name!r} of the portal belongs to something else; "
            "give the source another `name` for its dataset.",
            dataset=offer.name,
            source_id=other if (other := named.get("harvest_source")) != source.id else None,
        )
    return None


def dataset_fields(offer: Offer, source: Source) -> dict[str, Any]:
    """The dataset as CKAN takes it, without its resources."""
    fields: dict[str, Any] = {}
    for key, value in offer.fields.items():
        if value is None:
            continue
        if key in _NAMED:
            fields[key] = [
                value_ if isinstance(value_, dict) else {"name": value_} for value_ in value
            ]
        elif key in _TEXT_BOOLEANS:
            fields[key] = str(value).lower()
        else:
            fields[key] = value
    return {
        **fields,
        "name": offer.name,
        "owner_org": source.owner_org,
        "harvest_source": source.id,
        "harvest_identifier": offer.identifier,
    }


def resource_fields(entry: TableEntry, lake: Lake, gateway_url: str) -> dict[str, Any]:
    """The resource of one table, with what the lake knows of the version."""
    done = entry.published
    table = lake.table(done.table)
    version = table.resolve(done.version)
    return {
        "name": entry.name,
        "description": entry.description,
        "url": DOWNLOAD.format(gateway=gateway_url.rstrip("/"), table=done.table),
        "format": "CSV",
        "lake_table": done.table,
        "lake_version": done.version,
        "lake_version_at": version.published_at.isoformat().replace("+00:00", "Z"),
        "row_count": version.row_count,
        "byte_count": version.byte_count,
        "columns": [asdict(column) for column in table.columns(done.version)],
        "quality": {
            "completeness": round(done.completeness, 4),
            "validity": round(done.validity, 4),
            **({} if done.uniqueness is None else {"uniqueness": round(done.uniqueness, 4)}),
            "rejected_rows": done.rejected_count,
        },
    }


def _link_fields(link: Link) -> dict[str, Any]:
    return {
        "name": link.name,
        "description": link.description,
        "url": link.url,
        "format": link.format,
        "harvest_link": "true",
    }


def _merge_resources(
    existing: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What is there keeps its place and id and takes what is wanted; what is new comes last. Links
    of the source that it has no longer, or that nobody may know any more, go."""

    def key(resource: Mapping[str, Any]) -> str:
        return str(resource.get("lake_table") or resource.get("url"))

    fresh = {key(resource): resource for resource in wanted}
    kept = [one for one in existing if key(one) in fresh or not one.get("harvest_link")]
    merged = [{**resource, **fresh.pop(key(resource), {})} for resource in kept]
    return merged + list(fresh.values())


def _is_ours(dataset: Mapping[str, Any], offer: Offer, source: Source) -> bool:
    return (
        dataset.get("harvest_source") == source.id
        and dataset.get("harvest_identifier") == offer.identifier
    )


def _same(existing: Any, wanted: Any) -> bool:
    """Whether CKAN's answer says what is wanted: it turns numbers into text, JSON text into JSON,
    leaves empty fields out, and adds keys of its own to what it keeps."""
    if isinstance(wanted, dict):
        parsed = _parsed(existing)
        return isinstance(parsed, dict) and all(
            _same(parsed.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        parsed = _parsed(existing) or []
        if not isinstance(parsed, list) or len(parsed) != len(wanted):
            return False
        if all(isinstance(item, dict) and set(item) == {"name"} for item in wanted):
            return {item["name"] for item in wanted} == {item.get("name") for item in parsed}
        return all(map(_same, parsed, wanted))
    if wanted in (None, ""):
        return existing in (None, "")
    return existing == wanted or str(existing) == str(wanted)


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
