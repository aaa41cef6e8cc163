"""The demo: departments, people, sources and their first harvest; made once, kept ever after."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import ckanapi
import requests

from deploy.errors import NotReady, StepFailed
from deploy.home import write_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.programs import Plan

COMPANY = {
    "name": "cong-ty-khoi-nghiep",
    "title": "Công ty khởi nghiệp (minh họa)",
    "title_en": "Demo startup company",
    "description": "Một công ty khởi nghiệp minh họa, dùng dữ liệu của các sở ngành.",
    "org_kind": "company",
}
PEOPLE = {"operator": "operator", "officer": "can-bo", "startup": "khoi-nghiep"}
FULL_NAMES = {"officer": "Cán bộ sở ngành (minh họa)", "startup": "Lập trình viên (minh họa)"}
HARVEST_TIMEOUT_S = 300.0
DONE = {"published", "unchanged"}
ENDED = {*DONE, "refused", "failed"}
MOST_RUNS = 1000
TIMEOUT_S = 60


def ensure(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Make what the demo needs where it is missing, harvest once, and write ``demo.json``.

    Returns the content of ``demo.json``.
    """
    registrations = requests.get(f"{plan.departments_url}/sources.json", timeout=TIMEOUT_S).json()
    operator = connect(plan, plan.home.secret("operator_credential"))
    organizations = [*registrations["organizations"], COMPANY]
    for organization in organizations:
        ensure_organization(operator, organization)
    users = ensure_people(plan, operator, registrations["organizations"])
    officer = connect(plan, users["officer"]["ckan_token"])
    sources = [ensure_source(officer, source) for source in registrations["sources"]]
    harvest(officer, sources, say)
    written = {
        "portal_url": plan.settings.public_portal_url,
        "gateway_url": plan.settings.public_gateway_url,
        "flight_url": f"grpc://127.0.0.1:{plan.flight_port}",
        "departments_url": plan.departments_url,
        "users": users,
        "tables": tables(plan),
    }
    write_private(plan.home.demo, json.dumps(written, ensure_ascii=False, indent=2) + "\n")
    return written


def connect(plan: Plan, token: str) -> ckanapi.RemoteCKAN:
    return ckanapi.RemoteCKAN(plan.portal_internal_url, apikey=token)


def call(portal: ckanapi.RemoteCKAN, action: str, data: dict[str, Any]) -> Any:
    return portal.call_action(action, data, requests_kwargs={"timeout": TIMEOUT_S})


def find(portal: ckanapi.RemoteCKAN, action: str, name: str) -> dict[str, Any] | None:
    try:
        return dict(call(portal, action, {"id": name}))
    except ckanapi.NotFound:
        return None


def ensure_organization(operator: ckanapi.RemoteCKAN, organization: dict[str, Any]) -> None:
    if find(operator, "organization_show", organization["name"]) is None:
        call(operator, "organization_create", organization)


def ensure_people(
    plan: Plan, operator: ckanapi.RemoteCKAN, departments: list[dict[str, Any]]
) -> dict[str, dict[str, str]]:
    """The three demo users with a password and a token of each kind; kept from the last start."""
    known = {}
    if plan.home.demo.exists():
        known = json.loads(plan.home.demo.read_text(encoding="utf-8"))["users"]
    users = {}
    for role, name in PEOPLE.items():
        password = plan.home.password(role)
        if find(operator, "user_show", name) is None:
            user = {"name": name, "email": f"{name}@demo.invalid", "password": password}
            call(operator, "user_create", {**user, "fullname": FULL_NAMES[role]})
            known.pop(role, None)
        memberships = {
            "officer": [(department["name"], "admin") for department in departments],
            "startup": [(COMPANY["name"], "admin")],
        }
        for organization, capacity in memberships.get(role, ()):
            member = {"id": organization, "username": name, "role": capacity}
            call(operator, "organization_member_create", member)
        users[role] = known.get(role) or new_tokens(plan, operator, name, password)
    return users


def new_tokens(
    plan: Plan, operator: ckanapi.RemoteCKAN, name: str, password: str
) -> dict[str, str]:
    created = call(operator, "api_token_create", {"user": name, "name": "demo"})
    own = connect(plan, created["token"])
    company = {"organization": COMPANY["name"]} if name == PEOPLE["startup"] else {}
    gateway = call(own, "hanoiic_token_create", {"name": "demo", **company})
    return {
        "name": name,
        "password": password,
        "ckan_token": created["token"],
        "gateway_token": gateway["token"],
    }


def ensure_source(officer: ckanapi.RemoteCKAN, source: dict[str, Any]) -> dict[str, Any]:
    """Register a source, or move it to the port where the departments answer today."""
    try:
        known = call(officer, "hanoiic_source_show", {"id": source["name"]})
    except ckanapi.NotFound:
        return dict(call(officer, "hanoiic_source_create", source))
    if known["url"] != source["url"]:
        moved = {"id": known["id"], "url": source["url"]}
        return dict(call(officer, "hanoiic_source_update", moved))
    return dict(known)


def harvest(
    officer: ckanapi.RemoteCKAN, sources: list[dict[str, Any]], say: Callable[[str], None]
) -> None:
    """Run every source that has never run, and wait for the runs to end."""
    runs = {
        source["name"]: call(officer, "hanoiic_source_run", {"id": source["id"]})["id"]
        for source in sources
        if not (source.get("last_run") and source["last_run"]["state"] in DONE)
    }
    deadline = time.monotonic() + HARVEST_TIMEOUT_S
    while runs:
        newest = call(officer, "hanoiic_run_list", {"limit": MOST_RUNS})
        ended = {run["id"] for run in newest if run["state"] in ENDED}
        for name in [name for name, run_id in runs.items() if run_id in ended]:
            report(name, call(officer, "hanoiic_run_show", {"id": runs.pop(name)}), say)
        if time.monotonic() > deadline:
            raise NotReady(
                f"The first harvest of {', '.join(runs)} did not end in {HARVEST_TIMEOUT_S:.0f} s; "
                "`hanoiic logs harvest` tells why."
            )
        if runs:
            time.sleep(0.5)


def report(name: str, run: dict[str, Any], say: Callable[[str], None]) -> None:
    if run["state"] not in DONE:
        error = run.get("error") or {}
        raise StepFailed(
            f"The demo source {name} was not harvested ({run['state']}): "
            f"{error.get('detail', 'no reason given')}"
        )
    rows = sum(table["row_count"] for table in run["tables"])
    say(f"  ✓ {name}: {rows:,} rows in {len(run['tables'])} table(s)")


def tables(plan: Plan) -> list[dict[str, str]]:
    """Every table that the startup may know of, from the gateway itself."""
    answer = requests.get(f"{plan.gateway_internal_url}/v1/tables", timeout=TIMEOUT_S)
    answer.raise_for_status()
    return [
        {"name": table["name"], "dataset": table["dataset"]["name"], "tier": table["tier"]}
        for table in answer.json()["tables"]
    ]
