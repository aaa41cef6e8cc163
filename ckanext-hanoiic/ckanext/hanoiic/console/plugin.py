"""Plugin ``hanoiic_console``: a department's sources, their runs and the reports on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ckan import plugins as p
from ckan.common import CKANConfig
from ckan.lib.plugins import DefaultTranslation
from ckan.plugins import toolkit as tk

from . import held_views, quality_views, secret_views, views, wizard_views  # noqa: F401 (routes)
from .auth import AUTH_FUNCTIONS
from .blueprint import console
from .dataset_actions import DATASET_ACTIONS
from .hold_actions import HOLD_ACTIONS, HOLD_AUTH
from .pages import HELPERS
from .preview_actions import PREVIEW_ACTIONS, PREVIEW_AUTH
from .run_actions import RUN_ACTIONS
from .secret_actions import SECRET_ACTIONS, SECRET_AUTH
from .sound import sound
from .source_actions import SOURCE_ACTIONS
from .table_actions import TABLE_ACTIONS
from .upload_actions import UPLOAD_ACTIONS, UPLOAD_AUTH
from .validators import VALIDATORS

ACTIONS = {
    **SOURCE_ACTIONS,
    **RUN_ACTIONS,
    **TABLE_ACTIONS,
    **DATASET_ACTIONS,
    **HOLD_ACTIONS,
    **PREVIEW_ACTIONS,
    **UPLOAD_ACTIONS,
    **SECRET_ACTIONS,
}


@tk.blanket.config_declarations
class ConsolePlugin(p.SingletonPlugin, DefaultTranslation):
    p.implements(p.IActions)
    p.implements(p.IAuthFunctions)
    p.implements(p.IBlueprint)
    p.implements(p.IConfigurer)
    p.implements(p.ITemplateHelpers)
    p.implements(p.ITranslation)
    p.implements(p.IValidators)

    def update_config(self, config: CKANConfig) -> None:
        tk.add_template_directory(config, "templates")
        tk.add_resource("assets", "hanoiic-console")

    def i18n_domain(self) -> str:
        return "ckanext-hanoiic-console"

    def i18n_directory(self) -> str:
        return str(Path(__file__).with_name("i18n"))

    def i18n_locales(self) -> list[str]:
        return ["vi"]

    def get_actions(self) -> dict[str, Any]:
        return {name: sound(action) for name, action in ACTIONS.items()}

    def get_auth_functions(self) -> dict[str, Any]:
        return {**AUTH_FUNCTIONS, **HOLD_AUTH, **PREVIEW_AUTH, **UPLOAD_AUTH, **SECRET_AUTH}

    def get_validators(self) -> dict[str, Any]:
        return VALIDATORS

    def get_blueprint(self) -> list[Any]:
        return [console]

    def get_helpers(self) -> dict[str, Any]:
        return HELPERS
