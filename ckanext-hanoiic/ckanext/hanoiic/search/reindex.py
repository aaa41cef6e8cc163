"""Index many datasets, in several processes: most of the time goes into CKAN's reading of them.

A dataset that can't be indexed is told and the others go on. Each dataset is written whole or not
at all, so whatever dies on the way, ``mend`` finds the rest.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from ckan import logic, model
from ckan.common import config
from ckan.types import Context

from .errors import IndexingStopped

AT_ONCE = 25  # datasets that a process takes in one go

Failures = list[str]


def all_datasets() -> list[str]:
    """The ids of all datasets that belong into the index."""
    query = model.Session.query(model.Package.id)
    if config["ckan.search.remove_deleted_packages"]:
        query = query.filter(model.Package.state != model.State.DELETED)
    return sorted(row.id for row in query)


def reindex(datasets: Sequence[str], jobs: int = 1) -> Iterator[tuple[int, Failures]]:
    """Index the datasets (ids); yields how many were looked at, and a line for each that failed.

    Raises IndexingStopped where a process died.
    """
    portions = [datasets[start : start + AT_ONCE] for start in range(0, len(datasets), AT_ONCE)]
    jobs = min(jobs, len(portions))
    if jobs < 2:
        yield from _counted(portions, map(_index, portions))
        return
    # A child must not talk over its parent's connections.
    model.Session.remove()
    model.ensure_engine().dispose()
    children = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(jobs, mp_context=children) as pool:
            yield from _counted(portions, pool.map(_index, portions))
    except BrokenProcessPool:
        raise IndexingStopped("a process that indexed was ended from outside") from None


def _counted(
    portions: Iterable[Sequence[str]], done: Iterable[Failures]
) -> Iterator[tuple[int, Failures]]:
    for portion, failures in zip(portions, done, strict=True):
        yield len(portion), failures


def _index(datasets: Sequence[str]) -> Failures:
    failures = []
    for dataset in datasets:
        try:
            logic.index_update_package(Context(ignore_auth=True), dataset, True)
        except Exception as error:  # whatever an extension's hook raises concerns this one only
            model.Session.rollback()
            failures.append(f"{dataset}: {type(error).__name__}: {error}")
    model.Session.remove()
    return failures
