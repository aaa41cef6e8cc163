"""CKAN's search index on PostgreSQL: loading this plugin is all it takes."""

from __future__ import annotations

from ckan import plugins

from . import seam

seam.install()


class SearchPlugin(plugins.SingletonPlugin):
    """Chosen by ``solr_url = postgresql://user:password@host/database``."""
