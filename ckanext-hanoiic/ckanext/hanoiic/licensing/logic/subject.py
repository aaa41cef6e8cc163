"""Whom and what an action is about: the user, the dataset, the row; hidden ones are not found."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk


def user_of(context: Any) -> model.User | None:
    """The acting user; None for an anonymous one."""
    return model.User.get(context["user"]) if context.get("user") else None


def visible_dataset(context: Any, id_or_name: str) -> model.Package:
    """A living dataset the user may see; a hidden one is as unknown as none."""
    package = model.Package.get(id_or_name)
    if package is None or package.state != "active":
        raise tk.ObjectNotFound(tk._("Dataset not found"))
    own = {"user": context.get("user"), "ignore_auth": context.get("ignore_auth", False)}
    try:
        tk.check_access("package_show", own, {"id": package.id})
    except tk.NotAuthorized:
        raise tk.ObjectNotFound(tk._("Dataset not found")) from None
    return package


def row(cls: type, id_: Any) -> Any:
    """A row of licensing by its id."""
    found = model.Session.get(cls, str(id_ or ""))
    if found is None:
        raise tk.ObjectNotFound(tk._("Not found"))
    return found


def owner_org(dataset_id: str) -> str | None:
    """The organisation that decides for a dataset today."""
    package = model.Session.get(model.Package, dataset_id)
    if package is None:
        raise tk.ObjectNotFound(tk._("Dataset not found"))
    return package.owner_org


def commit(context: Any) -> None:
    if not context.get("defer_commit"):
        model.repo.commit()
