"""Plugin ``hanoiic_licensing``: decides who may read what, and keeps why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ckan import model
from ckan import plugins as p
from ckan.common import CKANConfig
from ckan.lib.plugins import DefaultTranslation
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import (
    desk_views,
    epoch,
    gateway_calls,
    letters,
    licence_views,
    licences,
    offer_views,
    offers,
    proof_views,
    tables,
    views,
    wording,
)
from ckanext.hanoiic.licensing.errors import LicensingError
from ckanext.hanoiic.licensing.logic import subject
from ckanext.hanoiic.licensing.logic.action import ACTIONS
from ckanext.hanoiic.licensing.logic.auth import AUTH
from ckanext.hanoiic.licensing.logic.refusal import as_validation_error
from flask import Blueprint

# Importing a module of pages adds its routes to the one blueprint.
PAGES = (views, offer_views, licence_views, desk_views, proof_views)


@tk.blanket.config_declarations
class LicensingPlugin(p.SingletonPlugin, DefaultTranslation):
    """Offers follow the dataset's form; decisions follow offers, agreements and memberships."""

    p.implements(p.IConfigurer)
    p.implements(p.IConfigurable)
    p.implements(p.ITranslation)
    p.implements(p.IActions)
    p.implements(p.IAuthFunctions)
    p.implements(p.ITemplateHelpers)
    p.implements(p.IBlueprint)
    p.implements(p.IAuthenticator, inherit=True)
    p.implements(p.IMiddleware, inherit=True)
    p.implements(p.IPackageController, inherit=True)

    def update_config(self, config: CKANConfig) -> None:
        tk.add_template_directory(config, "templates")

    def configure(self, config: CKANConfig) -> None:
        epoch.listen()
        letters.listen()
        model.Package._license_register = licences.Register()

    def make_middleware(self, app: Any, config: CKANConfig) -> Any:
        return gateway_calls.install(app)

    def identify_user(self, user_id: str | None = None) -> model.User | None:
        return gateway_calls.identify()

    def i18n_domain(self) -> str:
        return "ckanext-hanoiic-licensing"

    def i18n_directory(self) -> str:
        return str(Path(__file__).with_name("i18n"))

    def i18n_locales(self) -> list[str]:
        return ["vi"]

    def get_actions(self) -> dict[str, Any]:
        return ACTIONS

    def get_auth_functions(self) -> dict[str, Any]:
        return AUTH

    def get_helpers(self) -> dict[str, Any]:
        return wording.HELPERS

    def get_blueprint(self) -> list[Blueprint]:
        return [views.licensing]

    def after_dataset_create(self, context: Any, pkg_dict: dict[str, Any]) -> None:
        self._settle(context, pkg_dict, is_new=True)

    def after_dataset_update(self, context: Any, pkg_dict: dict[str, Any]) -> None:
        self._settle(context, pkg_dict)

    def _settle(self, context: Any, pkg_dict: dict[str, Any], is_new: bool = False) -> None:
        """Bring offer and table claims in line with a saved dataset, in its transaction."""
        package, user = model.Package.get(pkg_dict["id"]), subject.user_of(context)
        try:
            offers.settle(package, user.id if user else None, is_new=is_new)
            if package.state != "deleted":
                tables.settle(package, user, trusted=bool(context.get("ignore_auth")))
        except LicensingError as refusal:
            model.Session.rollback()
            raise as_validation_error(refusal, field="lake_table") from refusal

    def after_dataset_show(self, context: Any, pkg_dict: dict[str, Any]) -> None:
        pkg_dict["access_tier"] = offers.tier_of(pkg_dict["id"])

    def before_dataset_index(self, pkg_dict: dict[str, Any]) -> dict[str, Any]:
        shown = json.loads(pkg_dict.get("validated_data_dict") or "{}")
        # As `after_dataset_show` has just told it.
        pkg_dict["access_tier"] = shown.get("access_tier") or offers.tier_of(pkg_dict["id"])
        return pkg_dict
