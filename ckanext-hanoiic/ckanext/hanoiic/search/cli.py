"""``ckan hanoiic-search``: fill the index and keep it whole."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

import ckan.lib.search as ckan_search
import click

from .client import PostgresSolr
from .errors import IndexingStopped
from .index import SearchIndex
from .mend import drop, gaps
from .reindex import all_datasets, reindex

_JOBS = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 64),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="one for each processor",
    help="Processes that index at the same time",
)


@click.group("hanoiic-search", short_help="The search index on PostgreSQL")
def hanoiic_search() -> None:
    """The search index on PostgreSQL."""


@hanoiic_search.command("rebuild", short_help="Index all datasets anew, in several processes")
@_JOBS
def rebuild_command(jobs: int) -> None:
    """Index all datasets anew, and drop those that are gone; searching goes on meanwhile."""
    index = _index()
    if index is None:
        click.echo("solr_url names a Solr: use `ckan search-index rebuild`")
        sys.exit(1)
    whole = _reindex(all_datasets(), jobs)
    drop(gaps(index).left_over)
    if not whole:
        sys.exit(1)


@hanoiic_search.command("mend", short_help="Index what the index misses")
@click.option("--check", is_flag=True, help="Only say what is missing; exit with 1 if anything is")
@_JOBS
def mend_command(check: bool, jobs: int) -> None:
    """Compare CKAN's datasets with the index and index what is missing or outdated."""
    index = _index()
    if index is None:
        click.echo("solr_url names a Solr: nothing to mend here")
        return
    found = gaps(index)
    click.echo(f"Datasets in the index: {found}")
    if not check:
        index.store.sort_in()
    if not found:
        return
    if check:
        sys.exit(1)
    _reindex(found.to_index, jobs)
    drop(found.left_over)
    remaining = gaps(index)
    click.echo(f"Mended; now {remaining}")
    if remaining:
        sys.exit(1)


def _index() -> SearchIndex | None:
    connection = ckan_search.make_connection()
    return connection.index if isinstance(connection, PostgresSolr) else None


def _reindex(datasets: Sequence[str], jobs: int) -> bool:
    """Index the datasets and tell how it goes; returns whether all are indexed."""
    began = time.monotonic()
    done, failed = 0, 0
    try:
        for looked_at, failures in reindex(datasets, jobs):
            done += looked_at
            failed += len(failures)
            for failure in failures:
                click.echo(failure, err=True)
            if sys.stdout.isatty():
                click.echo(f"\r{done} of {len(datasets)}", nl=False)
    except IndexingStopped as error:
        click.echo(f"Stopped: {error}; `ckan hanoiic-search mend` indexes the rest", err=True)
        return False
    seconds = max(time.monotonic() - began, 0.001)
    told = f"{done - failed} datasets indexed, {failed} failed: {done / seconds:.0f} a second"
    click.echo(f"\r{told}" if sys.stdout.isatty() else told)
    return not failed
