"""Find what the index misses, and index it.

CKAN writes a dataset first and the index after it; a process killed between the two, or a database
that lost its last moments, leaves the index behind. Comparing the two is one query each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import ckan.lib.search as ckan_search
from ckan import model
from ckan.common import config

from . import dates
from .index import SearchIndex


@dataclass(frozen=True)
class Gaps:
    """Datasets (by id) that the index lacks, has in an older state, or has though they are gone."""

    missing: frozenset[str]
    outdated: frozenset[str]
    left_over: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.outdated or self.left_over)

    def __str__(self) -> str:
        return (
            f"{len(self.missing)} missing, {len(self.outdated)} outdated, "
            f"{len(self.left_over)} left over"
        )

    @property
    def to_index(self) -> list[str]:
        return sorted(self.missing | self.outdated)


def gaps(index: SearchIndex) -> Gaps:
    """Compare CKAN's datasets with the index."""
    query = model.Session.query(model.Package.id, model.Package.metadata_modified)
    if config["ckan.search.remove_deleted_packages"]:
        query = query.filter(model.Package.state != model.State.DELETED)
    kept = {row.id: dates.canonical(row.metadata_modified) for row in query}
    indexed = index.modified(config["ckan.site_id"])
    return Gaps(
        missing=frozenset(kept.keys() - indexed.keys()),
        outdated=frozenset(id for id in kept.keys() & indexed.keys() if kept[id] != indexed[id]),
        left_over=frozenset(indexed.keys() - kept.keys()),
    )


def drop(datasets: Iterable[str]) -> None:
    """Take datasets out of the index."""
    index = ckan_search.index_for(model.Package)
    for dataset in sorted(datasets):
        index.remove_dict({"id": dataset})
