"""``limit`` and ``offset`` of the lists."""

from __future__ import annotations

from typing import Any

from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

LIMIT = 100
MOST = 1000


def page(query: Any, data: dict[str, Any]) -> Any:
    """The query cut to ``limit`` (default 100, at most 1000) rows from ``offset``.

    Raises ValidationError for anything that is no number from 0.
    """
    numbers = {}
    for key, default in (("limit", LIMIT), ("offset", 0)):
        try:
            numbers[key] = int(data.get(key, default))
        except (TypeError, ValueError):
            numbers[key] = -1
        if not 0 <= numbers[key] < 2**31:
            raise tk.ValidationError({key: [_("Must be a whole number from 0")]})
    return query.limit(min(numbers["limit"], MOST)).offset(numbers["offset"])
