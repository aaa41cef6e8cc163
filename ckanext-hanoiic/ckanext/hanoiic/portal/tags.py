"""CKAN's actions on tags, limited to tags of datasets that the caller may see.

CKAN itself shows everybody every tag, even those that only private, draft or deleted datasets have.
"""

from __future__ import annotations

from typing import Any

from ckan.plugins import toolkit as tk

READER = ("user", "auth_user_obj", "ignore_auth")  # what of a context says who asks


@tk.side_effect_free
@tk.chained_action
def tag_list(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As CKAN's."""
    return _of_free_tags(original(context, data_dict), context, data_dict)


@tk.side_effect_free
@tk.chained_action
def tag_autocomplete(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As CKAN's; where tags are left out, there are fewer than ``limit``."""
    return _of_free_tags(original(context, data_dict), context, data_dict)


@tk.side_effect_free
@tk.chained_action
def tag_search(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As CKAN's; ``count`` is of the tags that are seen."""
    found = original(context, {**data_dict, "limit": None, "offset": None})
    seen = _of_free_tags(found["results"], context, data_dict)
    first = int(data_dict.get("offset") or 0)
    limit = data_dict.get("limit")
    last = None if limit is None else first + int(limit)
    return {"count": len(seen), "results": seen[first:last]}


@tk.side_effect_free
@tk.chained_action
def tag_show(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As CKAN's; a tag that the caller sees nowhere is not found."""
    found = original(context, data_dict)
    if not _of_free_tags([found], context, data_dict):
        raise tk.ObjectNotFound
    return found


def _of_free_tags(tags: list[Any], context: Any, data_dict: dict[str, Any]) -> list[Any]:
    """Those of ``tags`` (names or dicts) on a dataset that is seen; a vocabulary's are public."""
    if not tags or data_dict.get("vocabulary_id"):
        return tags
    question = {
        "include_private": True,
        "include_drafts": True,
        "rows": 0,
        "facet.field": ["tags"],
        "facet.limit": -1,
    }
    reader = {key: context[key] for key in READER if key in context}
    seen = tk.get_action("package_search")(reader, question)["facets"]["tags"]
    return [tag for tag in tags if (tag if isinstance(tag, str) else tag["name"]) in seen]


ACTIONS = {action.__name__: action for action in (tag_list, tag_autocomplete, tag_search, tag_show)}
