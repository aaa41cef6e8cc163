"""What a caller said to an action, checked by a table of checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from .checks import Check, check_object


def said(
    data: Mapping[str, Any],
    table: Mapping[str, Check],
    required: Collection[str] = (),
    beside: Collection[str] = (),
) -> dict[str, Any]:
    """The checked values of ``data``; keys ``beside`` the table are the caller's matter.

    Raises ValidationError with one complaint a field, also for ``required`` ones that are empty.
    """
    values, complaints = check_object({k: v for k, v in data.items() if k not in beside}, table)
    errors = {key or "message": [complaint] for key, complaint in complaints.items()}
    for key in required:
        if key not in errors and values.get(key) in (None, ""):
            errors[key] = [_("Missing value")]
    if errors:
        raise tk.ValidationError(errors)
    return values
