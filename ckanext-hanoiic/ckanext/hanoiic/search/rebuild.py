"""CKAN's ``lib.search.rebuild``, which ``ckan search-index rebuild`` calls, over many at once.

CKAN's own indexes one dataset after another. Where the index is PostgreSQL's and more than one
dataset is asked for, the same datasets go through ``reindex``; all else goes to CKAN's own.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
from collections.abc import Collection
from typing import Any

import ckan.lib.search as ckan_search
from ckan import model

from .client import PostgresSolr
from .reindex import all_datasets, reindex

log = logging.getLogger(__name__)

of_ckan = ckan_search.rebuild


def rebuild(
    package_id: str | None = None,
    only_missing: bool = False,
    force: bool = False,
    defer_commit: bool = False,
    package_ids: Collection[str] | None = None,
    quiet: bool = False,
    clear: bool = False,
) -> None:
    """As ``ckan.lib.search.rebuild``; raises SearchIndexError for the first that can't be indexed.

    ``force``: such datasets are logged, and the others go on.
    """
    connection: Any = ckan_search.make_connection()
    if package_id or not isinstance(connection, PostgresSolr):
        of_ckan(package_id, only_missing, force, defer_commit, package_ids, quiet, clear)
        return
    datasets = all_datasets() if package_ids is None else list(package_ids)
    if package_ids is None and only_missing:
        indexed = ckan_search.query_for(model.Package).get_all_entity_ids(len(datasets))
        datasets = sorted(set(datasets) - set(indexed))
    elif package_ids is None and clear:
        ckan_search.clear_all()
    log.info("Indexing %d datasets", len(datasets))
    done = 0
    for looked_at, failures in reindex(datasets, _jobs()):
        done += looked_at
        if not quiet:
            sys.stdout.write(f"\rIndexing dataset {done}/{len(datasets)}")
            sys.stdout.flush()
        for failure in failures:
            log.error("Error while indexing dataset %s", failure)
        if failures and not force:
            raise ckan_search.SearchIndexError(failures[0])
    model.Session.commit()
    log.info("Finished rebuilding search index.")


def _jobs() -> int:
    """As many processes as processors; one within CKAN's ``rebuild-fast``, which has started so
    many itself.
    """
    return 1 if multiprocessing.current_process().daemon else len(os.sched_getaffinity(0))
