"""The main job, from an officer's browser to a refused query: the README's walk-through."""

from __future__ import annotations

import io
import time
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests
from playwright.sync_api import Page

from tests.e2e.browser import new_page
from tests.e2e.conftest import Stack
from tests.servers import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

TITLE = "Bụi mịn đo thử ở Cầu Giấy"
SOURCE = "bui-min-do-thu"
TABLE = "main_job_air"
FOUND_BY = "bui min do thu"
RUN_TIMEOUT_S = 60
REVOCATION_S = 1.0

JOIN = f"""
SELECT w."Tên phường" AS ward, count(*) AS hours, max(a."Thời gian") AS newest
FROM {TABLE} a JOIN planning_wards w ON w."Mã phường" = a."Mã phường"
GROUP BY ALL ORDER BY ward
"""


def test_from_source_to_refused_query(stack: Stack) -> None:
    with new_page() as page:
        sign_in(page, stack, "officer")
        dataset = register_source(page, stack)
        sign_out(page, stack)
        sign_in(page, stack, "startup")
        find_without_diacritics(page, stack, dataset)
        refused_before_accepting(stack)
        accept_licence(page)
        token = make_token(page, stack)
    first = query_two_departments(stack, token)
    download_parquet(stack, token, first)
    publish_second_version(stack, token, first)
    with new_page() as page:
        sign_in(page, stack, "officer")
        revoke(page, stack)
    refused_after_revocation(stack, token)


def sign_in(page: Page, stack: Stack, role: str) -> None:
    user = stack.user(role)
    page.goto(f"{stack.portal_url}/user/login")
    page.fill("#field-login", user["name"])
    page.fill("#field-password", user["password"])
    page.press("#field-password", "Enter")
    page.wait_for_url(lambda url: "/user/login" not in url)


def sign_out(page: Page, stack: Stack) -> None:
    page.context.clear_cookies()
    page.goto(stack.portal_url)


def register_source(page: Page, stack: Stack) -> dict[str, Any]:
    """The officer fills the form, saves, and reads the run's report; returns the dataset."""
    page.goto(f"{stack.portal_url}/hanoiic/sources")
    page.locator("a[href$='/hanoiic/previews/new']").first.click()
    page.locator("a[href$='/hanoiic/sources/new']").click()
    page.fill("#field-title", TITLE)
    page.select_option("#field-owner_org", label="Chi cục Bảo vệ môi trường Hà Nội")
    page.fill("#field-url", f"{stack.departments_url}/environment/air-quality-hourly.csv")
    page.fill("#field-name", SOURCE)
    page.fill("[name='dataset.table']", TABLE)
    page.check("#topic-environment")
    page.select_option("[name='dataset.license_id']", "CC-BY-4.0")
    page.select_option("[name='dataset.access_tier']", "click")
    page.click("form[data-source-form] button[type=submit]")
    page.wait_for_url("**/hanoiic/runs/*")
    run = wait_for_run(stack)
    assert run["state"] == "published", run["error"]
    page.goto(f"{stack.portal_url}/hanoiic/runs/{run['id']}")
    report = page.locator("main, #content").first.inner_text()
    for words in (TABLE, "Đã công bố"):
        assert words in report
    return dict(stack.call("package_show", "startup", id=run["tables"][0]["dataset"]))


def wait_for_run(stack: Stack, after: str | None = None) -> dict[str, Any]:
    """The newest run of the source, when it has ended (and is not ``after``)."""
    ended: dict[str, Any] = {}

    def has_ended() -> bool:
        last = stack.call("hanoiic_source_show", "officer", id=SOURCE)["last_run"] or {}
        if last.get("id") in {None, after} or last["state"] in {"requested", "running"}:
            return False
        ended.update(stack.call("hanoiic_run_show", "officer", id=last["id"]))
        return True

    wait_for(has_ended, f"the end of a run of {SOURCE}", RUN_TIMEOUT_S)
    return ended


def find_without_diacritics(page: Page, stack: Stack, dataset: dict[str, Any]) -> None:
    page.goto(stack.portal_url)
    page.locator("input[name=q]:visible").first.fill(FOUND_BY)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=TITLE).first.click()
    page.wait_for_url(f"**/dataset/{dataset['name']}")
    text = page.locator("body").inner_text()
    assert TABLE in text
    assert "curl" in text


def refused_before_accepting(stack: Stack) -> None:
    anonymous = stack.sql(f"SELECT 1 FROM {TABLE}")
    assert anonymous.status_code == 403
    assert anonymous.headers["Content-Type"].startswith("application/problem+json")
    assert anonymous.json()["reason"] == "sign_in_required"
    startup = stack.sql(f"SELECT 1 FROM {TABLE}", stack.user("startup")["gateway_token"])
    assert startup.status_code == 403
    assert startup.json()["reason"] == "licence_not_accepted"
    assert startup.json()["access_url"].startswith(stack.portal_url)


def accept_licence(page: Page) -> None:
    page.locator("#access button[name=accept]").click()
    page.wait_for_load_state()
    assert page.locator("#access [data-reason]").get_attribute("data-reason") == "agreement"


def make_token(page: Page, stack: Stack) -> str:
    page.goto(f"{stack.portal_url}/hanoiic/access")
    page.fill("#token-name", "ứng dụng thử")
    page.locator("#tokens form.card button[type=submit]").click()
    token = page.locator("#new-token code").first.inner_text().strip()
    assert token.startswith("hic_")
    page.reload()
    assert token not in page.content()
    return token


def query_two_departments(stack: Stack, token: str) -> list[dict[str, Any]]:
    answer = stack.sql(JOIN, token)
    assert answer.status_code == 200, answer.text
    rows = list(answer.json()["rows"])
    assert len(rows) > 1
    assert all(row["hours"] > 0 and "ư" in "".join(r["ward"] for r in rows) for row in rows)
    return rows


def download_parquet(stack: Stack, token: str, rows: list[dict[str, Any]]) -> None:
    answer = stack.gateway("GET", f"/v1/tables/{TABLE}/download.parquet", token)
    assert answer.status_code == 200
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.num_rows >= sum(row["hours"] for row in rows)
    assert "Mã phường" in table.column_names


def publish_second_version(stack: Stack, token: str, first: list[dict[str, Any]]) -> None:
    """The source changes, the next harvest makes version 2, and version 1 still answers."""
    count = f"SELECT count(*) AS n FROM {TABLE}"
    before = stack.sql(count, token).json()["rows"][0]["n"]
    last = stack.call("hanoiic_source_show", "officer", id=SOURCE)["last_run"]["id"]
    requests.post(f"{stack.departments_url}/environment/advance", timeout=30).raise_for_status()
    stack.call("hanoiic_source_run", "officer", id=SOURCE)
    run = wait_for_run(stack, after=last)
    assert run["state"] == "published", run["error"]
    assert [table["version"] for table in run["tables"]] == [2]
    assert stack.sql(count, token).json()["rows"][0]["n"] > before
    as_of = stack.sql(count, token, as_of={TABLE: 1})
    assert as_of.json()["rows"][0]["n"] == before
    stack.call("hanoiic_source_run", "officer", id=SOURCE)
    assert wait_for_run(stack, after=run["id"])["state"] == "unchanged"


def revoke(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.portal_url}/hanoiic/inbox")
    agreement = page.locator("article", has_text=TITLE).filter(
        has=page.locator("button[formaction*=revoke]")
    )
    agreement.locator("input[name=reason]").fill("Hết thời gian thử nghiệm")
    agreement.locator("button[formaction*=revoke]").click()
    page.wait_for_load_state()


def refused_after_revocation(stack: Stack, token: str) -> None:
    time.sleep(REVOCATION_S)
    refused = stack.sql(JOIN, token)
    assert refused.status_code == 403
    assert refused.json()["reason"] == "agreement_revoked"
    assert stack.gateway("GET", f"/v1/tables/{TABLE}/download.csv", token).status_code == 403
