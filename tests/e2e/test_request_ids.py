"""One request can be followed from the portal to the gateway and on to its worker, by its id."""

from __future__ import annotations

import json
import uuid

import pytest
import requests

from tests.servers import wait_for

pytestmark = pytest.mark.e2e


def entries(stack, program: str, request_id: str) -> list[dict]:
    found = []
    for line in (stack.home / "logs" / f"{program}.log").read_text("utf-8").splitlines():
        if request_id in line:
            found.append(json.loads(line))
    return found


def test_a_preview_is_logged_under_one_id_in_both_rooms(stack):
    request_id = uuid.uuid4().hex
    cache_breaker = stack.user("officer")
    dataset = next(row["dataset"] for row in stack.demo["tables"] if row["tier"] == "request")
    answer = requests.get(
        f"{stack.portal_url}/dataset/{dataset}",
        headers={"X-Request-Id": request_id, "Authorization": cache_breaker["ckan_token"]},
        timeout=60,
    )
    assert answer.headers["X-Request-Id"] == request_id
    for program in ("portal", "gateway"):
        wait_for(lambda p=program: bool(entries(stack, p, request_id)), f"{program}'s log line")
        entry = entries(stack, program, request_id)[0]
        assert entry["room"] == program
        assert entry["request_id"] == request_id


def test_the_gateway_makes_an_id_and_answers_it(stack):
    answer = stack.gateway("GET", "/v1/health")
    assert answer.headers["X-Request-Id"]
    problem = stack.sql("SELEC 1")
    assert problem.status_code == 400
    assert problem.json()["request_id"] == problem.headers["X-Request-Id"]
    assert problem.json()["code"]
