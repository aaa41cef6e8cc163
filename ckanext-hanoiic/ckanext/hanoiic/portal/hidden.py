"""A private dataset and one that never was are told alike: CKAN's page does so, DCAT's does not."""

from __future__ import annotations

from typing import Any

from ckan.plugins import toolkit as tk


@tk.side_effect_free
@tk.chained_action
def dcat_dataset_show(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As ckanext-dcat's, which answers 403 for a dataset that the caller may not know of."""
    try:
        return original(context, data_dict)
    except tk.NotAuthorized:
        raise tk.ObjectNotFound(tk._("Dataset not found")) from None
