"""Acceptance case about CKAN's own doors: every route and every action, asked as each of six roles,
tells no restricted byte, no storage address and no secret."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests

from tests.e2e.acceptance.court import Court
from tests.e2e.conftest import Stack

pytestmark = pytest.mark.e2e

BYTE = "Restricted-byte-7411"
ROWS = pa.table({"id": pa.array([1], pa.int64()), "what": [BYTE]})
# The least first: what one may do must not spoil what another one asks for.
ROLES = (None, "stranger", "clerk", "officer", "head", "operator")
# Who works for the publisher may see the preview of its tables on these pages, by the gateway.
INSIDERS = ("clerk", "officer", "head", "operator")
PREVIEWED = re.compile(r"/dataset/[^/]+(/resource/[^/]+)?")
ENDS_THINGS = re.compile(r"delete|purge|clear|remove|withdraw|revoke|discard|retire|patch|update")
PLACES = {
    "dataset": "{dataset}", "dataset_id": "{dataset}", "_id": "{dataset}",
    "resource_id": "{resource}", "view_id": "{resource}", "filename": "restricted.csv",
    "path": "dataset/{dataset}", "location": "{resource}", "storage_name": "default",
    "token": "{resource}", "licence_id": "hanoi-open-data", "version": "1", "lang": "vi",
    "_format": "ttl", "ver": "3", "target_locale": "en", "logic_function": "package_show",
    "kind": "csv",
}  # fmt: skip
OF_PATH = {"/group": "transport", "/organization": "{department}", "/user": "{user}",
           "/feeds/group": "transport", "/feeds/organization": "{department}"}  # fmt: skip


class Surface:
    """What CKAN answers, searched for what must not be there."""

    def __init__(self, court: Court, dataset: dict[str, Any], markers: dict[str, str]) -> None:
        self.court, self.markers = court, markers
        self.known = {
            "dataset": dataset["id"],
            "resource": dataset["resources"][0]["id"],
            "department": court.department,
            "user": f"founder-{court.mark}",
        }
        self.found: list[str] = []
        self.asked = 0
        self.statuses: set[int] = set()

    def ask(self, role: str | None, method: str, path: str, **more: Any) -> None:
        credentials = {**self.court.credentials, "operator": self.court.operator.apikey}
        headers = {"Authorization": credentials[role]} if role else {}
        answer = requests.request(
            method, self.court.portal_url + path, headers=headers, timeout=60,
            allow_redirects=False, **more,
        )  # fmt: skip
        self.asked += 1
        self.statuses.add(answer.status_code)
        said = f"{answer.headers}{answer.text}"
        for what, marker in self.markers.items():
            previewed = what == "byte" and role in INSIDERS and PREVIEWED.fullmatch(path)
            if marker in said and not previewed:
                self.found.append(f"{role or 'anonymous'} {method} {path} {more}: {what}")

    def every(self, role: str | None, questions: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: self.ask(role, one[0], one[1], **one[2]), questions))

    def filled(self, rule: str) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1].rpartition(":")[2]
            whose = (text for start, text in OF_PATH.items() if rule.startswith(f"{start}/"))
            return PLACES.get(name) or next(reversed([*whose]), "{dataset}")

        return re.sub(r"<([^>]+)>", value, rule).format(**self.known)


@pytest.fixture(scope="module")
def court(stack: Stack) -> Court:
    """A court of these cases' own: asked for everything, the operator deletes its people too."""
    return Court(stack)


@pytest.fixture(scope="module")
def surface(court: Court) -> Surface:
    dataset = court.dataset("request", {"restricted": ROWS})
    secret = f"source-secret-{court.mark}"
    court.act(
        "officer", "hanoiic_secret_create", owner_org=court.department, name="case23",
        host="data.example.org", kind="bearer", value=secret,
    )  # fmt: skip
    files = {one.name: one for one in (court.home / "secrets").iterdir()}
    markers = {
        "byte": BYTE,
        "lake": str(court.lake.root),
        "storage": str(court.home / "storage"),
        "source secret": secret,
        "token": court.token(),
    } | {name: file.read_text("utf-8").strip() for name, file in files.items() if not file.suffix}
    # A change more, so that whatever keeps a history has one.
    court.operator.action.package_patch(id=dataset["id"], notes="Case 23")
    return Surface(court, dataset, markers)


@pytest.fixture(scope="module")
def there_is(court: Court) -> dict[str, Any]:
    """CKAN's routes and actions."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("ckan_surface.py"))],
        env=os.environ | {"CKAN_INI": str(court.home / "etc/ckan.ini")},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_case_23_every_ckan_route_and_action_as_six_roles(
    court: Court, surface: Surface, there_is: dict[str, Any]
) -> None:
    routes, actions = there_is["routes"], there_is["actions"]
    assert len(routes) > 150
    assert len(actions) > 200
    for role in ROLES:
        surface.every(role, _pages(surface, routes, "GET"))
        surface.every(role, _calls(surface, [name for name, reads in actions.items() if reads]))
    changing = sorted(name for name, reads in actions.items() if not reads)
    for late in (False, True):
        some = [name for name in changing if bool(ENDS_THINGS.search(name)) is late]
        for role in ROLES:
            surface.every(role, _calls(surface, some))
    for role in ROLES:
        surface.every(role, _pages(surface, routes, "POST"))
    assert surface.found == []
    assert surface.asked > 6 * (150 + len(actions))
    assert {200, 302, 401, 403, 404} - surface.statuses <= {401}


def _pages(
    surface: Surface, routes: list[dict[str, Any]], method: str
) -> list[tuple[str, str, dict[str, Any]]]:
    """Every address that answers GET, or those that don't; once where several rules make it."""
    kept = [route for route in routes if ("GET" in route["methods"]) == (method == "GET")]
    asked = {(_method(route), surface.filled(route["rule"])): None for route in kept}
    return [(verb, path, {}) for verb, path in asked]


def _method(route: dict[str, Any]) -> str:
    return "GET" if "GET" in route["methods"] else str(route["methods"][0])


def _calls(surface: Surface, names: list[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each action once, about whatever its name says that it takes."""
    known = surface.known
    about = {
        "dataset": known["dataset"],
        "resource_id": known["resource"],
        "table": surface.court.name("restricted"),
        "q": "*:*",
        "include_private": True,
        "query": "name:r",
    }
    whose = {
        "resource": known["resource"],
        "organization": known["department"],
        "group": "transport",
        "user": known["user"],
    }
    for name in names:
        own = next((one for word, one in whose.items() if word in name), known["dataset"])
        yield "POST", f"/api/3/action/{name}", {"json": {"id": own, **about}}


def test_case_23_the_database_and_the_search_index_hold_no_restricted_byte(
    court: Court, surface: Surface
) -> None:
    # An officer's look at an edition is kept for an hour, for who asked for it alone.
    looks = "public.hanoiic_edition_preview"
    tables = [name for name in court.readable_tables() if name != looks]
    assert len(tables) > 40
    for name in tables:
        for what in ("byte", "lake", "source secret", "token", "gateway_credential"):
            held = court.database.execute(
                f"SELECT 1 FROM {name} AS one WHERE position(%s IN one::text) > 0 LIMIT 1",
                (surface.markers[what],),
            )
            assert held.fetchone() is None, (name, what)
    found = court.act("operator", "package_search", q=BYTE, include_private=True)
    assert found["count"] == 0
