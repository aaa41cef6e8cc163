"""A dataset's description for search engines, written once for each state of the dataset.

ckanext-dcat's own helper looks its profiles up in all installed packages at every page, which takes
a sixth of the time of a dataset's page, and builds a graph, which takes as much again.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import Any

import rdflib
import simplejson
from ckan.plugins import toolkit as tk
from ckanext.dcat.processors import RDFSerializer

from .wording import language

MOST_KEPT = 256  # texts of some kB


class Serializer(RDFSerializer):  # type: ignore[misc]
    """ckanext-dcat's, with a plain graph, and profiles that are looked for once a process."""

    def __init__(self, profiles: list[str]) -> None:
        super().__init__(profiles)
        self.g = rdflib.Graph(store="SimpleMemory")  # one graph needs no index of graphs

    def _load_profiles(self, profile_names: list[str]) -> list[Any]:
        return _profiles(tuple(profile_names))


@cache
def _profiles(names: tuple[str, ...]) -> list[Any]:
    found: list[Any] = RDFSerializer._load_profiles(None, list(names))
    return found


def structured_data(dataset_dict: dict[str, Any], profiles: list[str] | None = None) -> str:
    """JSON-LD in the words of schema.org, as ckanext-dcat's helper of the same name writes it."""
    profiles = profiles or tk.config["ckanext.dcat.structured_data.profiles"]
    state = json.dumps(dataset_dict, sort_keys=True, default=str)
    return _written(state, language(), tuple(profiles))


@lru_cache(maxsize=MOST_KEPT)
def _written(state: str, _language: str, profiles: tuple[str, ...]) -> str:
    found = Serializer(list(profiles)).serialize_dataset(json.loads(state), _format="jsonld")
    return str(
        simplejson.dumps(
            simplejson.loads(found),
            sort_keys=True,
            indent=4,
            separators=(",", ": "),
            cls=simplejson.JSONEncoderForHTML,
        )
    )
