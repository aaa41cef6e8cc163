"""Index many datasets, in several processes: most of the time goes into CKAN's reading of them.

A portion of datasets is read with few questions and written in one transaction. A dataset that
can't be indexed is told and the others go on. Whatever dies on the way, ``mend`` finds the rest.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime

import ckan.lib.search as ckan_search
from ckan import logic, model
from ckan.common import config
from ckan.types import Context

from .both_forms import forms_of
from .client import PostgresSolr
from .errors import IndexingStopped
from .gathering import gathered
from .reading_ahead import reading

AT_ONCE = 100  # datasets that a process takes in one go
MANY = 500  # datasets for which the index is told that many come

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
    with _heaping() if len(datasets) >= MANY else contextlib.nullcontext():
        yield from _reindex(portions, min(jobs, len(portions)))


def _heaping() -> contextlib.AbstractContextManager[None]:
    connection = ckan_search.make_connection()
    if isinstance(connection, PostgresSolr):
        return connection.index.store.heaping()
    return contextlib.nullcontext()


def _reindex(portions: Sequence[Sequence[str]], jobs: int) -> Iterator[tuple[int, Failures]]:
    if jobs < 2:
        yield from _counted(portions, map(_index, portions))
        return
    # A child must not talk over its parent's connections.
    model.Session.remove()
    model.ensure_engine().dispose()
    children = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(jobs, mp_context=children, initializer=gc.freeze) as pool:
            yield from _counted(portions, pool.map(_index, portions))
    except BrokenProcessPool:
        raise IndexingStopped("a process that indexed was ended from outside") from None


def _counted(
    portions: Iterable[Sequence[str]], done: Iterable[Failures]
) -> Iterator[tuple[int, Failures]]:
    for portion, failures in zip(portions, done, strict=True):
        yield len(portion), failures


def _index(datasets: Sequence[str]) -> Failures:
    """Index a portion in one go; where that fails, one by one, to tell which can't be."""
    try:
        with _uncollected():
            changed = _in_one_go(datasets)
    except Exception:  # whatever an extension's hook raises; told below, by dataset
        model.Session.rollback()
        changed = datasets
    failures = []
    for dataset in changed:
        try:
            logic.index_update_package(Context(ignore_auth=True), dataset, True)
        except Exception as error:  # it concerns this dataset only
            model.Session.rollback()
            failures.append(f"{dataset}: {type(error).__name__}: {error}")
    model.Session.remove()
    return failures


def _in_one_go(datasets: Sequence[str]) -> list[str]:
    """Index the datasets; returns those that somebody changed meanwhile: they need another go."""
    before = _modified(datasets)
    with gathered(), reading(datasets):
        both_forms = forms_of(datasets)
        for dataset in datasets:
            logic.index_update_package_dicts(both_forms(dataset), True)
    model.Session.remove()
    after = _modified(datasets)
    return [dataset for dataset in datasets if before.get(dataset) != after.get(dataset)]


def _modified(datasets: Sequence[str]) -> dict[str, datetime]:
    columns = model.Package.id, model.Package.metadata_modified
    found = model.Session.query(*columns).filter(model.Package.id.in_(datasets))
    return {row.id: row.metadata_modified for row in found}


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for garbage all the time: validating makes objects by the thousand."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
        gc.collect(1)
