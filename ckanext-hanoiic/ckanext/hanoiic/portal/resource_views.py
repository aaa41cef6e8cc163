"""CKAN's views of resources, of which this portal has none: its own previews show the data."""

from __future__ import annotations

from typing import Any

from ckan import logic
from ckan import plugins as p
from ckan.plugins import toolkit as tk


@tk.side_effect_free
@logic.auth_audit_exempt
@tk.chained_action
def resource_view_list(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As CKAN's, which asks two statements for each resource of a dataset's page.

    It leaves out the views whose plugin is not loaded: without such plugins there are none.
    """
    is_shown = context.get("for_view") and "package" in context  # so its reader may read it
    if is_shown and not any(p.PluginImplementations(p.IResourceView)):
        return []
    return original(context, data_dict)
