"""CKAN's search index on PostgreSQL: loading this plugin is all it takes."""

from __future__ import annotations

import click
from ckan import plugins
from ckan.common import CKANConfig
from ckan.plugins import toolkit as tk

from . import seam, synonyms
from .cli import hanoiic_search

seam.install()


@tk.blanket.config_declarations
class SearchPlugin(plugins.SingletonPlugin):
    """Chosen by ``solr_url = postgresql://user:password@host/database``."""

    plugins.implements(plugins.IClick)
    plugins.implements(plugins.IConfigurable)

    def configure(self, config: CKANConfig) -> None:
        synonyms.use(config["hanoiic.search.synonyms"])
        synonyms.current()

    def get_commands(self) -> list[click.Command]:
        return [hanoiic_search]
