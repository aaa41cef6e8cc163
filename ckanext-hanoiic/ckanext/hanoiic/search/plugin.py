"""CKAN's search index on PostgreSQL: loading this plugin is all it takes."""

from __future__ import annotations

import click
from ckan import plugins

from . import seam
from .cli import hanoiic_search

seam.install()


class SearchPlugin(plugins.SingletonPlugin):
    """Chosen by ``solr_url = postgresql://user:password@host/database``."""

    plugins.implements(plugins.IClick)

    def get_commands(self) -> list[click.Command]:
        return [hanoiic_search]
