"""Who may read what at the real gateway: a request that is decided, and a private table."""

from __future__ import annotations

import json
import time
import uuid

import pytest

pytestmark = pytest.mark.e2e
OBEYED_WITHIN_S = 1.0


def reason(stack, table: str, token: str | None) -> str | None:
    """Why the caller may not read the table; None when it may."""
    answer = stack.sql(f"SELECT 1 FROM {table} LIMIT 1", token)
    return None if answer.status_code == 200 else answer.json().get("reason", answer.json()["code"])


def reason_a_second_later(stack, table: str, token: str | None) -> str | None:
    """What a request that starts a second after a change is told: the change must bite by then."""
    time.sleep(OBEYED_WITHIN_S)
    return reason(stack, table, token)


def test_a_request_is_refused_with_a_reason_then_approved(stack):
    table = stack.table(tier="request")
    dataset = next(row["dataset"] for row in stack.demo["tables"] if row["name"] == table)
    token = stack.user("startup")["gateway_token"]
    assert reason(stack, table, token) == "request_needed"
    first = stack.call(
        "hanoiic_request_create", "startup", dataset=dataset, purpose="Bản đồ trạm y tế"
    )
    assert reason(stack, table, token) == "request_pending"
    stack.call("hanoiic_request_reject", "officer", id=first["id"], reason="Thiếu mục đích rõ ràng")
    assert reason_a_second_later(stack, table, token) == "request_rejected"
    second = stack.call(
        "hanoiic_request_create", "startup", dataset=dataset, purpose="Nghiên cứu khoảng cách"
    )
    stack.call("hanoiic_request_approve", "officer", id=second["id"])
    assert reason_a_second_later(stack, table, token) is None
    agreement = next(
        row
        for row in stack.call("hanoiic_agreement_list", "officer", box="inbox")
        if row["dataset"]["name"] == dataset and row["state"] == "active"
    )
    stack.call("hanoiic_agreement_revoke", "officer", id=agreement["id"], reason="Hết thời hạn")
    assert reason_a_second_later(stack, table, token) == "agreement_revoked"


def test_a_private_table_and_an_unknown_one_look_the_same(stack):
    table = stack.table(tier="open", name="planning_wards")
    dataset = next(row["dataset"] for row in stack.demo["tables"] if row["name"] == table)
    stack.call("package_patch", "officer", id=dataset, private=True)
    try:
        assert reason_a_second_later(stack, table, None) == "table_not_found"
        unknown = f"t{uuid.uuid4().hex[:10]}"
        for path in ("/v1/tables/{}", "/v1/tables/{}/download.csv"):
            hidden = stack.gateway("GET", path.format(table))
            nowhere = stack.gateway("GET", path.format(unknown))
            assert hidden.status_code == nowhere.status_code == 404
            assert comparable(hidden, table) == comparable(nowhere, unknown)
        listed = stack.gateway("GET", "/v1/tables").json()["tables"]
        assert table not in {row["name"] for row in listed}
        owner = stack.user("officer")["gateway_token"]
        assert stack.sql(f"SELECT 1 FROM {table}", owner).status_code == 200
    finally:
        stack.call("package_patch", "officer", id=dataset, private=False)
    assert reason_a_second_later(stack, table, None) is None


def comparable(answer, table: str) -> str:
    """The answer without what belongs to one request, and without look-alike public tables."""
    problem = answer.json()
    for fact in ("request_id", "suggestions"):
        problem.pop(fact, None)
    return json.dumps(problem).replace(table, "TABLE")
