"""Plugin ``hanoiic_console``: a department's sources, their runs and the reports on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ckan import plugins as p
from ckan.common import CKANConfig
from ckan.lib.plugins import DefaultTranslation
from ckan.plugins import toolkit as tk

from .auth import AUTH_FUNCTIONS
from .run_actions import RUN_ACTIONS
from .source_actions import SOURCE_ACTIONS
from .validators import VALIDATORS


@tk.blanket.config_declarations
class ConsolePlugin(p.SingletonPlugin, DefaultTranslation):
    p.implements(p.IActions)
    p.implements(p.IAuthFunctions)
    p.implements(p.IConfigurer)
    p.implements(p.ITranslation)
    p.implements(p.IValidators)

    def update_config(self, config: CKANConfig) -> None:
        tk.add_template_directory(config, "templates")

    def i18n_domain(self) -> str:
        return "ckanext-hanoiic-console"

    def i18n_directory(self) -> str:
        return str(Path(__file__).with_name("i18n"))

    def i18n_locales(self) -> list[str]:
        return ["vi"]

    def get_actions(self) -> dict[str, Any]:
        return {**SOURCE_ACTIONS, **RUN_ACTIONS}

    def get_auth_functions(self) -> dict[str, Any]:
        return AUTH_FUNCTIONS

    def get_validators(self) -> dict[str, Any]:
        return VALIDATORS
