"""Private datasets are hidden as if they did not exist, also by CKAN and ckanext-dcat."""

from __future__ import annotations

from typing import Any

from ckan import authz, model
from ckan.plugins import toolkit as tk


@tk.side_effect_free
@tk.chained_action
def dcat_dataset_show(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As ckanext-dcat's action, which would answer 403 and so tell that the dataset exists."""
    try:
        return original(context, data_dict)
    except tk.NotAuthorized:
        raise tk.ObjectNotFound(tk._("Dataset not found")) from None


@tk.side_effect_free
@tk.chained_action
def member_list(original: Any, context: Any, data_dict: dict[str, Any]) -> Any:
    """As CKAN's, which tells everybody the ids of private datasets and drafts too."""
    members = original(context, data_dict)
    hidden = _hidden({id_ for id_, kind, _ in members if kind == "package"}, context)
    return [member for member in members if member[0] not in hidden]


def _hidden(dataset_ids: set[str], context: Any) -> set[str]:
    """Those of the datasets that the caller may not see; public ones are not asked for singly."""
    if not dataset_ids or context.get("ignore_auth") or authz.is_sysadmin(context.get("user")):
        return set()
    secret = (
        model.Session.query(model.Package.id)
        .filter(model.Package.id.in_(dataset_ids))
        .filter(model.Package.private | (model.Package.state != model.State.ACTIVE))
    )
    reader = {key: context[key] for key in ("user", "auth_user_obj") if key in context}
    return {id_ for (id_,) in secret if not _sees(reader, id_)}


def _sees(reader: dict[str, Any], dataset_id: str) -> bool:
    try:
        return bool(tk.check_access("package_show", dict(reader), {"id": dataset_id}))
    except tk.NotAuthorized:
        return False


ACTIONS = {action.__name__: action for action in (dcat_dataset_show, member_list)}
