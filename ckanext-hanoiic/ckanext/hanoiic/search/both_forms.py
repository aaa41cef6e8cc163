"""What CKAN's index keeps of many datasets, made at once: shown by CKAN's schema and by their own.

The same as ``logic.package_show_default_and_custom_schemas`` returns for each of them, with the
hooks of all extensions. An extension that has a ``package_show`` or a validation of its own is
asked for each dataset.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

import ckan.lib.plugins as lib_plugins
from ckan import logic, model, plugins
from ckan.logic.action.get import package_show
from ckan.logic.schema import default_show_package_schema
from ckan.types import Context

from .dictized import Dataset, Portion
from .show_schema import ShowSchema

Show = Callable[[Dataset, Context], Dataset]


class BothForms:
    """The forms of a portion's datasets."""

    def __init__(self, portion: Portion) -> None:
        self.portion = portion
        self._default_schema = default_show_package_schema()
        self._by_default = ShowSchema(self._default_schema).shown
        self._by_type: dict[str, Show | None] = {}

    def of(self, dataset: str) -> tuple[Dataset, Dataset]:
        """By CKAN's schema, by its own; raises NotFound for a dataset that is gone."""
        package = self.portion.packages.get(dataset)
        if package is None:
            raise logic.NotFound
        context = Context(
            model=model,
            session=model.Session,
            user="",
            ignore_auth=True,
            use_cache=False,
            validate=False,
            package=package,
        )
        dictized = self.portion.dictized(dataset, context)
        for item in plugins.PluginImplementations(plugins.IPackageController):
            item.read(package)
        for item in plugins.PluginImplementations(plugins.IResourceController):
            for resource in dictized["resources"]:
                item.before_resource_show(resource)
        by_default = self._by_default(dictized, context)
        show = self._own(dictized["type"])
        own = show(dictized, context) if show else by_default
        logic.apply_after_dataset_show_plugins(context, own)
        return by_default, own

    def _own(self, type_: str) -> Show | None:
        """How datasets of a type are shown; None where CKAN's schema is theirs too."""
        if type_ not in self._by_type:
            self._by_type[type_] = self._show(type_)
        return self._by_type[type_]

    def _show(self, type_: str) -> Show | None:
        form: Any = lib_plugins.lookup_package_plugin(type_)
        schema = form.show_package_schema()
        if schema == self._default_schema:
            return None
        if not hasattr(form, "validate"):
            return ShowSchema(schema).shown
        if _completes_schema(form, type_):
            form.validate(Context(), {"type": type_}, schema, "package_show")
            return ShowSchema(schema).shown

        def validated(dataset: Dataset, context: Context) -> Dataset:
            schema = form.show_package_schema()
            shown, _errors = lib_plugins.plugin_validate(
                form, context, dataset, schema, "package_show"
            )
            return dict(shown)

        return validated


def _completes_schema(form: Any, type_: str) -> bool:
    """Whether all that the form's validation adds to CKAN's is validators put into the schema."""
    # Where it is loaded at all; a module that asks for validators is not to be loaded before.
    scheming = sys.modules.get("ckanext.scheming.plugins")
    if scheming is None or type(form).validate is not scheming.SchemingDatasetsPlugin.validate:
        return False
    described = form._expanded_schemas.get(type_)
    return bool(described) and not any(
        "repeating_subfields" in field for field in described["dataset_fields"]
    )


def forms_of(datasets: Sequence[str]) -> Callable[[str], tuple[Dataset, Dataset]]:
    """What makes both forms of each of the datasets (ids): one after the other where an extension
    has a ``package_show`` of its own."""
    called = inspect.unwrap(logic.get_action("package_show"))
    if called is inspect.unwrap(package_show):
        return BothForms(Portion(datasets)).of
    return lambda dataset: logic.package_show_default_and_custom_schemas(
        Context(ignore_auth=True), dataset
    )
