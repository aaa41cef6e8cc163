"""What an action is given, where some of it is JSON: CKAN's validators flatten lists of objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from math import isfinite
from typing import Any

from ckan.plugins import toolkit as tk
from ckan.types import Schema
from ckanext.hanoiic.licensing.logic import checks

Action = Callable[[Any, dict[str, Any]], Any]


def validated(
    schema: Callable[[], Schema], json_fields: Mapping[str, type | tuple[type, ...]]
) -> Callable[[Action], Action]:
    """Check an action's data: by a CKAN schema, and JSON fields (as values or as text) by type.

    Missing JSON fields are None; anything that neither names is left out.
    """

    def decorate(action: Action) -> Action:
        @wraps(action)
        def wrapper(context: Any, data_dict: dict[str, Any]) -> Any:
            plain = {key: value for key, value in data_dict.items() if key not in json_fields}
            data, errors = tk.navl_validate(plain, schema(), context)
            for name, kinds in json_fields.items():
                try:
                    data[name] = _read(data_dict.get(name), kinds)
                except (ValueError, RecursionError):
                    errors[name] = [tk._("Must be JSON of the documented shape")]
            if errors:
                raise tk.ValidationError(errors)
            return action(context, data)

        return wrapper

    return decorate


def _read(value: Any, kinds: type | tuple[type, ...]) -> Any:
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else None
    if value is not None and not isinstance(value, kinds):
        raise ValueError("another kind of JSON")
    if not _is_kept(value):
        raise ValueError("a text or number that the database does not take")
    return value


def _is_kept(value: Any) -> bool:
    if isinstance(value, str):
        return not checks.UNREADABLE.search(value)
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_kept, [*value, *value.values()]))
    return not isinstance(value, list) or all(map(_is_kept, value))
