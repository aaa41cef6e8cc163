"""``ckan hanoiic-search``: keep the index whole."""

from __future__ import annotations

import sys

import ckan.lib.search as ckan_search
import click

from .client import PostgresSolr
from .mend import gaps, mend


@click.group("hanoiic-search", short_help="The search index on PostgreSQL")
def hanoiic_search() -> None:
    """The search index on PostgreSQL."""


@hanoiic_search.command("mend", short_help="Index what the index misses")
@click.option("--check", is_flag=True, help="Only say what is missing; exit with 1 if anything is")
def mend_command(check: bool) -> None:
    """Compare CKAN's datasets with the index and index what is missing or outdated."""
    connection = ckan_search.make_connection()
    if not isinstance(connection, PostgresSolr):
        click.echo("solr_url names a Solr: nothing to mend here")
        return
    found = gaps(connection.index)
    click.echo(f"Datasets in the index: {found}")
    if not found:
        return
    if check:
        sys.exit(1)
    mend(found)
    remaining = gaps(connection.index)
    click.echo(f"Mended; now {remaining}")
    if remaining:
        sys.exit(1)
