"""Whom the gateway serves: tokens, denials, revocation, and a portal that is away."""

from __future__ import annotations

import time

import pytest

from lake import edition
from tests.api_gateway.portal import STARTUP, deny, permit
from tests.servers import wait_for

SECRET = "SELECT * FROM secret"


@pytest.mark.parametrize(
    ("header", "token_error"),
    [
        ("Bearer hic_nobody", "token_unknown"),
        ("Bearer hic_old", "token_expired"),
        ("Bearer hic_gone", "token_revoked"),
        ("Basic dXNlcjpwYXNz", "token_unknown"),
        ("Bearer", "token_unknown"),
        ("Bearer a b", "token_unknown"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/sql?q=SELECT 1", "/v1/tables", "/v1/tables/bus_stops",
                                  "/v1/tables/bus_stops/download.csv"])  # fmt: skip
def test_token_that_is_not_valid_is_401_even_for_open_data(
    gateway, portal, path, header, token_error
):
    portal.token_errors = {"hic_old": "token_expired", "hic_gone": "token_revoked"}
    answer = gateway.get(path, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert answer.json()["token_error"] == token_error
    assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")


@pytest.mark.parametrize(
    "reason",
    ["sign_in_required", "licence_not_accepted", "request_needed", "request_pending",
     "request_rejected", "agreement_revoked", "agreement_suspended", "agreement_expired",
     "scope_missing"],
)  # fmt: skip
def test_denial_gives_its_reason_and_the_way_in(gateway, portal, reason):
    portal.tables[STARTUP]["secret"] = deny(reason)
    portal.change()
    answer = gateway.sql(SECRET, STARTUP)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["reason"]) == (
        403,
        "access_denied",
        reason,
    )
    assert problem["access_url"] == "https://portal.test/dataset/x#access"


def test_one_denied_table_refuses_the_whole_query(gateway):
    answer = gateway.sql("SELECT * FROM bus_stops, secret")
    assert (answer.status_code, answer.json()["table"]) == (403, "secret")


def test_private_and_unknown_tables_are_told_alike(gateway):
    bodies = []
    for name in ("hidden", "nobody"):
        for path in (f"/v1/sql?q=FROM {name}", f"/v1/tables/{name}",
                     f"/v1/tables/{name}/download.csv"):  # fmt: skip
            answer = gateway.get(path)
            assert answer.status_code == 404
            body = answer.json()
            body.pop("request_id")
            bodies.append(str(body).replace(name, "NAME"))
    assert len(set(bodies)) == 1


def test_suggestions_name_only_what_the_caller_may_know_of(gateway):
    answer = gateway.sql("FROM hiden").json()
    assert "hidden" not in str(answer)


def test_a_grant_and_its_revocation_are_visible_within_a_second(gateway, portal):
    assert gateway.sql(SECRET, STARTUP).status_code == 200
    portal.tables[STARTUP]["secret"] = deny("agreement_revoked")
    portal.change()
    assert gateway.sql(SECRET, STARTUP).status_code == 403
    portal.tables[STARTUP]["secret"] = permit("click")
    portal.change()
    assert gateway.sql(SECRET, STARTUP).status_code == 200


def test_portal_is_asked_once_an_epoch(gateway, portal):
    for _ in range(5):
        assert gateway.sql(SECRET, STARTUP).status_code == 200
    assert len(portal.asked) == 1
    assert portal.asked[0]["tables"] == ["secret"]
    portal.change()
    gateway.sql(SECRET, STARTUP)
    assert len(portal.asked) == 2


def test_case_20_without_the_portal_open_tables_are_served_and_the_rest_is_503(gateway, portal):
    assert gateway.sql("FROM bus_stops").status_code == 200
    assert gateway.sql(SECRET, STARTUP).status_code == 200
    portal.away = True
    portal.change()
    assert gateway.sql("FROM bus_stops").status_code == 200
    assert gateway.get("/v1/tables/bus_stops/download.csv", STARTUP).status_code == 200
    for sql in (SECRET, "FROM bus_stops, secret", "FROM hidden"):
        answer = gateway.sql(sql, STARTUP)
        assert (answer.status_code, answer.json()["code"]) == (503, "decision_unavailable")
        assert answer.headers["Retry-After"]
    # Those known to be open would look like all there are, and be none after a restart.
    for path in (
        "/v1/tables",
        "/v1/share/shares/hanoi/all-tables",
        "/v1/share/shares/hanoi/schemas",
    ):
        answer = gateway.get(path)
        assert answer.status_code == 503
        assert "decision_unavailable" in answer.text
    portal.away = False
    # A portal that did not answer is asked again after a moment.
    wait_for(lambda: gateway.sql(SECRET, STARTUP).status_code == 200, "the portal's return", 5)


def test_edition_that_is_not_written_is_never_replaced_by_the_whole_table(gateway, portal):
    portal.tables[STARTUP]["secret"] = permit("click", edition="masked")
    portal.change()
    answer = gateway.sql(SECRET, STARTUP)
    assert (answer.status_code, answer.json()["code"]) == (503, "edition_not_ready")


def test_edition_is_what_its_caller_reads(gateway, portal, lake):
    edition.write(lake, "bus_stops", 2, "names_only", {"columns": ["tên"]})
    portal.tables[STARTUP]["bus_stops"] = permit("click", edition="names_only")
    portal.change()
    assert set(gateway.sql("FROM bus_stops", STARTUP).json()["rows"][0]) == {"tên"}
    assert gateway.sql("SELECT mã FROM bus_stops", STARTUP).json()["code"] == "query_invalid"
    file = gateway.get("/v1/tables/bus_stops/download.parquet", STARTUP)
    assert b"ph\xc6\xb0\xe1\xbb\x9dng" not in file.content
    # The other caller reads the whole table at the same moment.
    assert len(gateway.sql("FROM bus_stops").json()["rows"][0]) == 3


def test_revocation_breaks_off_an_answer_that_is_being_sent(gateway, portal):
    sql = "SELECT i, repeat('x', 200) AS s FROM range(40000000) t(i), secret"
    answer = gateway.sql(sql, STARTUP, format="csv", stream=True)
    chunks = answer.iter_content(256 * 1024)
    next(chunks)
    portal.tables[STARTUP]["secret"] = deny("agreement_revoked")
    portal.change()
    begun = time.monotonic()
    with pytest.raises(Exception, match=r"(?i)ended prematurely|broken|incomplete"):
        for _ in chunks:
            pass
    assert time.monotonic() - begun < 5
    wait_for(lambda: gateway.get("/v1/health").json()["workers"]["busy"] == 0, "the worker's end")
