"""A dataset's description for search engines, written once for each state of the dataset.

ckanext-dcat builds a graph and looks its profiles up in all installed packages at every page: a
fifth of the time of a dataset's page, for the same text.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from ckanext.dcat import helpers

from .wording import language

MOST_KEPT = 256  # texts of some kB


def structured_data(dataset_dict: dict[str, Any], profiles: list[str] | None = None) -> str:
    """JSON-LD in the words of schema.org, as ckanext-dcat's helper of the same name writes it."""
    state = json.dumps(dataset_dict, sort_keys=True, default=str)
    return _written(state, language(), tuple(profiles or ()))


@lru_cache(maxsize=MOST_KEPT)
def _written(state: str, _language: str, profiles: tuple[str, ...]) -> str:
    return str(helpers.structured_data(json.loads(state), list(profiles)))
