"""What names a thing is a text that PostgreSQL can look for: asked of every action, here alone."""

from __future__ import annotations

import functools
from typing import Any

from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _
from ckan.types import Action, Context

from .checks import is_text

# A thing of no possible name is not there; the others are the caller's mistake.
IDS = ("id", "source_id", "run_id", "preview_id")
TEXTS = ("owner_org", "kind", "state", "url", "schedule")


def sound(action: Action) -> Action:
    """The action, for callers who say anything."""

    @functools.wraps(action)
    def checked(context: Context, data_dict: dict[str, Any]) -> Any:
        if not all(_is_text_or_none(data_dict.get(key)) for key in IDS):
            raise tk.ObjectNotFound(_("Not found"))
        wrong = [key for key in TEXTS if not _is_text_or_none(data_dict.get(key))]
        if wrong:
            raise tk.ValidationError({key: [_("Must be text")] for key in wrong})
        return action(context, data_dict)

    return checked


def _is_text_or_none(value: Any) -> bool:
    return value is None or is_text(value)
