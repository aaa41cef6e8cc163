"""Whether a statement answers the same on the same versions, so that an answer can be kept.

Without ORDER BY the rows may come in another order; it is still the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of the allowed functions; a test compares them with what the engine says of its functions, and
# with what they answer.
CHANGING = frozenset(
    {
        "age", "ago", "current_date", "current_localtime", "current_localtimestamp", "current_time",
        "current_timestamp", "gen_random_uuid", "get_current_time", "get_current_timestamp",
        "localtime", "localtimestamp", "now", "random", "today", "transaction_timestamp", "uuid",
        "uuidv4", "uuidv7",
        # Guesses, from whichever rows came first or by chance.
        "approx_quantile", "approx_top_k", "reservoir_quantile",
    }
)  # fmt: skip
# Which time of day it is in another zone depends on the season.
_ZONED_TIMES = frozenset({"timetz", "time with time zone"})


def is_repeatable(tree: Mapping[str, Any]) -> bool:
    """Whether nothing in an accepted statement's tree depends on the time or on chance."""
    waiting: list[Any] = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            if value.get("sample") or str(value.get("function_name", "")).lower() in CHANGING:
                return False
            if str(value.get("type_name", "")).lower() in _ZONED_TIMES:
                return False
            # CURRENT_DATE and its like are written as names.
            names = value.get("column_names")
            if names and str(names[-1]).lower() in CHANGING:
                return False
            waiting.extend(value.values())
    return True
