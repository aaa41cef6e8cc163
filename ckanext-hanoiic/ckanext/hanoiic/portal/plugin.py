"""Plugin ``hanoiic_portal``: what a dataset carries, and the pages that show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask
from ckan import plugins as p
from ckan.common import CKANConfig
from ckan.lib.plugins import DefaultTranslation
from ckan.plugins import toolkit as tk
from ckanext.hanoiic import csrf

from . import (
    addresses,
    answers,
    catalogue,
    facets,
    feeds,
    hidden,
    long_texts,
    neighbours,
    pages,
    quick_templates,
    request_log,
    tags,
    unanswerable,
    wording,
)
from .auth import AUTH_FUNCTIONS
from .preview import previews
from .recipes import recipes, short_recipe
from .resource_views import resource_view_list
from .sitemap import languages, sitemap
from .structured_data import structured_data
from .suggest import hanoiic_search_suggest
from .table_terms import table_terms
from .validators import VALIDATORS
from .views import forget_assets, once, portal

addresses.install()

DCAT_PROFILES = {"ckanext.dcat.rdf.profiles": "hanoiic_dcat"}


@tk.blanket.config_declarations
class PortalPlugin(p.SingletonPlugin, DefaultTranslation):
    p.implements(p.IActions)
    p.implements(p.IConfigurer)
    p.implements(p.IAuthFunctions)
    p.implements(p.ITranslation)
    p.implements(p.IValidators)
    p.implements(p.ITemplateHelpers)
    p.implements(p.IFacets, inherit=True)
    p.implements(p.IBlueprint)
    p.implements(p.IFeed, inherit=True)
    p.implements(p.IMiddleware, inherit=True)
    p.implements(p.IPackageController, inherit=True)

    def update_config(self, config: CKANConfig) -> None:
        tk.add_template_directory(config, "templates")
        tk.add_public_directory(config, "public")
        tk.add_resource("assets", "hanoiic-portal")
        config.update(DCAT_PROFILES)
        # What CKAN's own home page counts at every visit; our lists name their facets themselves.
        config["search.facets"] = list(catalogue.COUNTED)

    def make_middleware(self, app: Any, config: CKANConfig) -> Any:
        feeds.install()
        watched = unanswerable.install(answers.install(request_log.install(app)))
        return quick_templates.install(csrf.guard(watched))

    def get_actions(self) -> dict[str, Any]:
        return {
            "hanoiic_search_suggest": hanoiic_search_suggest,
            "resource_view_list": resource_view_list,
            **hidden.ACTIONS,
            **tags.ACTIONS,
        }

    def get_auth_functions(self) -> dict[str, Any]:
        return AUTH_FUNCTIONS

    def get_blueprint(self) -> list[flask.Blueprint]:
        return [portal, sitemap]

    def get_feed_class(self) -> type[feeds.Feed]:
        return feeds.Feed

    def i18n_domain(self) -> str:
        return "ckanext-hanoiic-portal"

    def i18n_directory(self) -> str:
        return str(Path(__file__).with_name("i18n"))

    def i18n_locales(self) -> list[str]:
        return ["vi"]

    def get_validators(self) -> dict[str, Any]:
        return VALIDATORS

    def get_helpers(self) -> dict[str, Any]:
        return {
            # CKAN's own: its templates follow the reader's language too, and bear long texts.
            "get_translated": wording.in_language,
            "dataset_display_name": wording.dataset_title,
            "markdown_extract": long_texts.markdown_extract,
            "render_markdown": long_texts.render_markdown,
            "get_facet_items_dict": facets.items,
            "url_for": addresses.url_for,
            "structured_data": structured_data,
            "hanoiic_access_page": neighbours.access_page,
            "hanoiic_console_page": neighbours.console_page,
            "hanoiic_departments": catalogue.departments,
            "hanoiic_example_table": catalogue.example_table,
            "hanoiic_gateway_url": neighbours.gateway_url,
            "hanoiic_entity_title": catalogue.entity_title,
            "hanoiic_facet_label": facets.label,
            "hanoiic_facets_open": lambda: facets.OPEN,
            "hanoiic_former_names": facets.former_names,
            "hanoiic_figures": catalogue.figures,
            "hanoiic_newest": catalogue.newest,
            "hanoiic_table_terms": table_terms,
            "hanoiic_topics": catalogue.topics,
            "hanoiic_topic_icon": catalogue.topic_icon,
            "hanoiic_previews": previews,
            "hanoiic_recipes": recipes,
            "hanoiic_short_recipe": short_recipe,
            "hanoiic_cell": wording.cell,
            "hanoiic_day": wording.day,
            "hanoiic_is_long": long_texts.is_long,
            "hanoiic_is_number": wording.is_number,
            "hanoiic_language": wording.language,
            "hanoiic_languages": languages,
            "hanoiic_licence_title": wording.licence_title,
            "hanoiic_minute": wording.minute,
            "hanoiic_number": wording.number,
            "hanoiic_once": once,
            "hanoiic_pager": pages.pager,
            "hanoiic_period": wording.period,
            "hanoiic_forget_assets": forget_assets,
            "hanoiic_percent": wording.percent,
            "hanoiic_page_in": wording.page_in,
            "hanoiic_request_id": request_log.request_id,
            "hanoiic_size": wording.size,
            "hanoiic_value_label": wording.value_label,
            "hanoiic_wards": wording.ward_names,
        }

    def dataset_facets(self, facets_dict: dict[str, Any], package_type: str) -> dict[str, Any]:
        facets_dict.clear()
        facets_dict.update(facets.titles())
        return facets_dict

    def organization_facets(
        self, facets_dict: dict[str, Any], organization_type: str, package_type: str | None
    ) -> dict[str, Any]:
        self.dataset_facets(facets_dict, package_type or "dataset").pop("organization")
        return facets_dict

    def group_facets(
        self, facets_dict: dict[str, Any], group_type: str, package_type: str | None
    ) -> dict[str, Any]:
        self.dataset_facets(facets_dict, package_type or "dataset").pop("groups")
        return facets_dict

    def after_dataset_show(self, context: Any, pkg_dict: dict[str, Any]) -> None:
        neighbours.point_to_gateway(pkg_dict)

    def after_dataset_search(
        self, search_results: dict[str, Any], search_params: dict[str, Any]
    ) -> dict[str, Any]:
        for dataset in search_results["results"]:
            neighbours.point_to_gateway(dataset)
        facets.name_values(search_results["search_facets"])
        return search_results
