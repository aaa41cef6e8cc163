"""CKAN's search index on PostgreSQL: loading this plugin is all it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from ckan import plugins
from ckan.common import CKANConfig
from ckan.lib.plugins import DefaultTranslation
from ckan.plugins import toolkit as tk

from . import advice, following, forking, questions, reading, seam, synonyms
from .cli import hanoiic_search
from .columns import column_fields
from .facet_fields import facet_fields

seam.install()
forking.install()


@tk.blanket.config_declarations
class SearchPlugin(plugins.SingletonPlugin, DefaultTranslation):
    """Chosen by ``solr_url = postgresql://user:password@host/database``."""

    plugins.implements(plugins.IActions)
    plugins.implements(plugins.IClick)
    plugins.implements(plugins.IConfigurable)
    plugins.implements(plugins.IConfigurer)
    plugins.implements(plugins.IPackageController, inherit=True)
    plugins.implements(plugins.ITemplateHelpers)
    plugins.implements(plugins.ITranslation)

    def update_config(self, config: CKANConfig) -> None:
        tk.add_template_directory(config, "templates")

    def configure(self, config: CKANConfig) -> None:
        synonyms.use(config["hanoiic.search.synonyms"])

    def get_commands(self) -> list[click.Command]:
        return [hanoiic_search]

    def get_actions(self) -> dict[str, Any]:
        return {"hanoiic_search_help": reading.hanoiic_search_help, **following.ACTIONS}

    def get_helpers(self) -> dict[str, Any]:
        return {
            "hanoiic_search_as_words": advice.as_words,
            "hanoiic_search_help": reading.help_for,
            "hanoiic_search_hits": reading.hits,
        }

    def before_dataset_index(self, pkg_dict: dict[str, Any]) -> dict[str, Any]:
        """Make tables, columns, units and places findable; add what the facets count."""
        validated = pkg_dict.get("validated_data_dict")
        if validated:
            dataset = json.loads(validated)
            pkg_dict.update(column_fields(dataset) | facet_fields(dataset))
        return pkg_dict

    def before_dataset_search(self, search_params: dict[str, Any]) -> dict[str, Any]:
        return questions.asked(search_params)

    def after_dataset_search(
        self, search_results: dict[str, Any], search_params: dict[str, Any]
    ) -> dict[str, Any]:
        return questions.answered(search_results, search_params)

    def i18n_domain(self) -> str:
        return "ckanext-hanoiic-search"

    def i18n_directory(self) -> str:
        return str(Path(__file__).with_name("i18n"))

    def i18n_locales(self) -> list[str]:
        return ["vi"]
