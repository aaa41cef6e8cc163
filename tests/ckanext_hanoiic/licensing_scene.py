"""People, organisations and datasets for the licensing tests, and short ways to ask."""

from __future__ import annotations

from typing import Any

from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from fresh_database import made_once


def act(action: str, user: str | None, /, **data: Any) -> Any:
    """Call an action as a user, with its authorisation."""
    return tk.get_action(action)({"user": user or ""}, data)


def refusal(action: str, user: str, /, **data: Any) -> str:
    """The code with which an action refuses."""
    try:
        act(action, user, **data)
    except tk.ValidationError as error:
        return error.error_dict["code"][0]
    raise AssertionError(f"{action} was not refused")


class Scene:
    """A department with an officer, a startup with two people, somebody alone, a sysadmin."""

    def __init__(self) -> None:
        vars(self).update(made_once("licensing", self._people))

    def _people(self) -> dict[str, Any]:
        self.harvester = factories.User(name=tk.config["hanoiic.harvester_user"])["name"]
        self.gateway = factories.User(name=tk.config["hanoiic.gateway_user"])["name"]
        self.sysadmin = factories.Sysadmin()["name"]
        self.officer = factories.User()["name"]
        self.clerk = factories.User()["name"]
        self.founder = factories.User()["name"]
        self.developer = factories.User()["name"]
        self.loner = factories.User()["name"]
        self.department = self.organization(officer="editor", clerk="member")
        self.startup = self.organization(founder="admin", developer="member")
        return vars(self).copy()

    def organization(self, **roles: str) -> dict[str, Any]:
        users = [{"name": getattr(self, who), "capacity": role} for who, role in roles.items()]
        return factories.Organization(users=users)

    def dataset(self, tier: str | None, table: str | None = None, **fields: Any) -> dict[str, Any]:
        resources = [{"url": "http://gateway.test/t.csv", "lake_table": table}] if table else []
        more = {"access_tier": tier} if tier else {}
        owner = fields.pop("owner_org", self.department["id"])
        return factories.Dataset(
            owner_org=owner, license_id=fields.pop("license_id", "CC-BY-4.0"),
            resources=resources, **more, **fields,
        )  # fmt: skip

    def token(self, user: str, **fields: Any) -> str:
        return act("hanoiic_token_create", user, name="test", **fields)["token"]

    def ask(
        self, token: str | None, tables: list[str] | None = None, action: str = "query"
    ) -> dict[str, Any]:
        """What the gateway is told."""
        return act("hanoiic_introspect", self.gateway, token=token, tables=tables, action=action)

    def reason(self, token: str | None, table: str, action: str = "query") -> str:
        """``permit: why``, ``deny: why`` or ``unknown`` for one table."""
        told = self.ask(token, [table], action)["tables"][table]
        return ": ".join(filter(None, (told["decision"], told.get("reason"))))

    def approved(self, user: str, dataset: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """An agreement by request and approval."""
        request = act("hanoiic_request_create", user, dataset=dataset["id"], purpose="Research")
        return act("hanoiic_request_approve", self.officer, id=request["id"], **fields)


def user_id(name: str) -> str:
    return model.User.get(name).id
