"""Answers 404 for a private dataset, as for one that does not exist, also from ckanext-dcat."""

from __future__ import annotations

from typing import Any

from ckan.plugins import toolkit as tk


@tk.side_effect_free
@tk.chained_action
def dcat_dataset_show(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As ckanext-dcat's action, which would answer 403 and so tell that the dataset exists."""
    try:
        return original(context, data_dict)
    except tk.NotAuthorized:
        raise tk.ObjectNotFound(tk._("Dataset not found")) from None
