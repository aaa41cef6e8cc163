"""A dataset's description for search engines: JSON-LD in the words of schema.org.

It says what ckanext-dcat's helper of the same name says, two languages and the columns besides.
That one builds a graph to write it, which took a fifth of the time of a dataset's page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ckan.plugins import toolkit as tk
from ckanext.dcat.utils import dataset_uri, publisher_uri_organization_fallback, resource_uri
from jinja2.utils import htmlsafe_json_dumps

from .long_texts import MOST_SUMMARY, beginning

CONTEXT = {"schema": "http://schema.org/"}

Node = dict[str, Any]


def structured_data(dataset: dict[str, Any]) -> str:
    """The description, safe within a page's ``<script>``."""
    return htmlsafe_json_dumps({"@context": CONTEXT, **_dataset(dataset)}, ensure_ascii=False)


def _dataset(dataset: dict[str, Any]) -> Node:
    start, end = dataset.get("temporal_start"), dataset.get("temporal_end")
    title_en = dataset.get("title_en")
    return _node(
        "Dataset",
        dataset_uri(dataset),
        name=dataset.get("title"),
        alternateName=title_en and {"@value": title_en, "@language": "en"},
        description=beginning(dataset.get("notes"), MOST_SUMMARY),
        version=dataset.get("version"),
        datePublished=_in_utc(dataset.get("metadata_created")),
        dateModified=_in_utc(dataset.get("metadata_modified")),
        license=dataset.get("license_url") or dataset.get("license_title"),
        isAccessibleForFree=dataset.get("access_tier") == "open",
        url=tk.url_for("dataset.read", id=dataset["name"], _external=True),
        temporalCoverage=f"{start}/{end}" if start and end else start or end,
        keywords=[tag["name"] for tag in dataset.get("tags", [])],
        about=[_topic(group) for group in dataset.get("groups", [])],
        includedInDataCatalog=_node(
            "DataCatalog",
            name=tk.config["ckan.site_title"],
            description=tk.config["ckan.site_description"],
            url=tk.config["ckan.site_url"],
        ),
        **_publisher(dataset),
        distribution=[_distribution(resource) for resource in dataset.get("resources", [])],
        variableMeasured=[
            _node(
                "PropertyValue",
                name=column["name"],
                description=column.get("description"),
                unitText=column.get("unit"),
            )
            for resource in dataset.get("resources", [])
            for column in resource.get("columns") or []
        ],
    )


def _topic(group: Mapping[str, Any]) -> Node:
    url = tk.url_for("group.read", id=group["id"], _external=True)
    return _node("Thing", name=group["name"], url=url)


def _publisher(dataset: dict[str, Any]) -> dict[str, Node]:
    organization = dataset.get("organization")
    if not organization:
        return {}
    uri = publisher_uri_organization_fallback(dataset)
    contact = _node(
        "ContactPoint",
        contactType="customer service",
        url=organization.get("url") or tk.config["ckan.site_url"],
        email=_first(dataset, "contact_email", "maintainer_email", "author_email"),
        name=_first(dataset, "contact_name", "maintainer", "author"),
    )
    publisher = _node("Organization", uri, name=organization["title"], contactPoint=contact)
    return {"publisher": publisher, "creator": {"@id": uri}}


def _distribution(resource: dict[str, Any]) -> Node:
    return _node(
        "DataDownload",
        resource_uri(resource),
        name=resource.get("name"),
        description=resource.get("description"),
        encodingFormat=resource.get("format") or resource.get("mimetype"),
        contentSize=resource.get("size"),
        url=resource.get("url"),
    )


def _in_utc(moment: str | None) -> str | None:
    """CKAN's times are UTC and do not say so."""
    return moment and f"{moment}+00:00"


def _first(fields: Mapping[str, Any], *names: str) -> Any:
    return next((fields[name] for name in names if fields.get(name)), None)


def _node(kind: str, uri: str | None = None, **properties: Any) -> Node:
    """A thing of a kind with those of its properties that have a value."""
    node: Node = {"@id": uri} if uri else {}
    node["@type"] = f"schema:{kind}"
    for name, value in properties.items():
        if value not in (None, "", []):
            node[f"schema:{name}"] = value
    return node
