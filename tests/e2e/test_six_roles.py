"""Access in six roles, in real browsers: asked for, decided, used and taken away.

A startup asks for a table that needs a request. Nobody, another organisation, a member and an
editor of the department, its officer and a system administrator each see what is theirs to see.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import new_people
from tests.e2e.conftest import Stack
from tests.servers import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

PASSWORD = "sau-vai-tro-2026"
FOUNDER, STRANGER = "nguoi-sang-lap", "nguoi-ngoai"
MEMBER, EDITOR = "thanh-vien-so", "bien-tap-so"
COMPANY, OTHER = "cong-ty-duong-dai", "cong-ty-khac"
PURPOSE = "Bản đồ đường đi tới trạm y tế gần nhất"
QUESTION = "Dữ liệu được lưu ở đâu?"
ANSWER = "Trên máy chủ đặt tại Hà Nội"
WHY_REVOKED = "Dự án đã kết thúc"
OBEYED_WITHIN_S = 1.0
# Seven people load every picture and font anew: the text is enough.
READ = "domcontentloaded"


@dataclass(frozen=True)
class Place:
    """The table that needs a request, its dataset, and the pages of both."""

    stack: Stack
    table: str
    dataset: str

    @property
    def page(self) -> str:
        return f"{self.stack.portal_url}/dataset/{self.dataset}"

    def url(self, path: str) -> str:
        return f"{self.stack.portal_url}/hanoiic/{path}"

    def reason(self, token: str | None) -> str | None:
        """Why the gateway refuses a query and the file alike; None when it gives both."""
        query = self.stack.sql(f"SELECT count(*) AS n FROM {self.table}", token)
        file = self.stack.gateway("GET", f"/v1/tables/{self.table}/download.parquet", token)
        assert query.status_code == file.status_code, (query.text, file.status_code)
        return None if query.status_code == 200 else str(query.json()["reason"])


@pytest.fixture(scope="module")
def place(stack: Stack) -> Place:
    table = stack.table(tier="request")
    dataset = next(row["dataset"] for row in stack.demo["tables"] if row["name"] == table)
    department = stack.call("package_show", "operator", id=dataset)["organization"]["name"]
    for name in (COMPANY, OTHER):
        stack.call("organization_create", "operator", name=name, title=name.replace("-", " "))
    for name, organization, role in (
        (FOUNDER, COMPANY, "admin"),
        (STRANGER, OTHER, "admin"),
        (MEMBER, department, "member"),
        (EDITOR, department, "editor"),
    ):
        person = {"name": name, "email": f"{name}@demo.invalid", "password": PASSWORD}
        stack.call("user_create", "operator", **person)
        membership = {"id": organization, "username": name, "role": role}
        stack.ckan("operator").call_action("organization_member_create", membership)
    return Place(stack, table, dataset)


@pytest.fixture(scope="module")
def people() -> Iterator[Callable[[], Page]]:
    with new_people() as person:
        yield person


def test_request_approve_use_revoke_in_six_roles(place: Place, people: Callable[[], Page]) -> None:
    nobody, stranger, founder = people(), people(), people()
    member, editor, officer, operator = people(), people(), people(), people()
    stack = place.stack

    anonymous_is_asked_to_sign_in(nobody, place)

    sign_in(stranger, place, STRANGER, PASSWORD)
    stranger_token = makes_a_token(stranger, place)
    sign_in(founder, place, FOUNDER, PASSWORD)
    request_id = founder_asks(founder, place)
    token = makes_a_token(founder, place)
    assert place.reason(token) == "request_pending"
    stranger_sees_nothing_of_it(stranger, place, request_id, stranger_token)

    sign_in(member, place, MEMBER, PASSWORD)
    member_reads_and_does_not_decide(member, place, request_id)
    sign_in(editor, place, EDITOR, PASSWORD)
    editor_asks_back(editor, place, request_id)
    founder_answers(founder, place, request_id)
    sign_in(officer, place, stack.user("officer")["name"], stack.user("officer")["password"])
    officer_approves(officer, place, request_id)

    founder_uses_the_data(founder, place, token)
    assert place.reason(stranger_token) == "request_needed"
    editor_sees_who_used_what(editor, place)
    revoked_within_a_second(officer, founder, place, token)
    sign_in(operator, place, "operator", stack.user("operator")["password"])
    operator_finds_all_of_it_in_the_audit(operator, place, request_id)


def sign_in(page: Page, place: Place, name: str, password: str) -> None:
    page.goto(f"{place.stack.portal_url}/user/login", wait_until=READ)
    page.fill("#field-login", name)
    page.fill("#field-password", password)
    page.press("#field-password", "Enter")
    page.wait_for_url(lambda url: "/user/login" not in url, wait_until=READ)


def status(page: Page, place: Place) -> str | None:
    """What the dataset's page says of the reader's access."""
    page.goto(place.page, wait_until=READ)
    return page.locator("#access [data-reason]").first.get_attribute("data-reason")


def is_refused(page: Page, address: str, with_status: int) -> None:
    answer = page.request.get(address, max_redirects=0)
    assert answer.status == with_status, address


def anonymous_is_asked_to_sign_in(page: Page, place: Place) -> None:
    assert status(page, place) == "sign_in_required"
    assert page.locator("#access form").count() == 0
    expect(page.locator("#access").get_by_role("link", name="Đăng nhập")).to_be_visible()
    for path in ("access", "inbox", "audit", f"offers/{place.dataset}", f"usage/{place.dataset}"):
        is_refused(page, place.url(path), 302)
    assert place.reason(None) == "sign_in_required"


def makes_a_token(page: Page, place: Place) -> str:
    page.goto(place.url("access"), wait_until=READ)
    page.fill("#token-name", "Bản đồ")
    page.get_by_role("button", name="Tạo mã").click()
    return page.locator("#new-token code").first.inner_text().strip()


def founder_asks(page: Page, place: Place) -> str:
    assert status(page, place) == "request_needed"
    form = page.locator("#access form")
    form.get_by_label("Mục đích sử dụng của bạn").fill(PURPOSE)
    form.get_by_role("button", name="Gửi yêu cầu truy cập").click()
    expect(page.locator("#access [data-reason=request_pending]")).to_be_visible()
    mine = place.stack.call("hanoiic_request_list", "officer", box="inbox", state="submitted")
    return next(row["id"] for row in mine if row["purpose"] == PURPOSE)


def stranger_sees_nothing_of_it(page: Page, place: Place, request_id: str, token: str) -> None:
    assert status(page, place) == "request_needed"
    assert PURPOSE not in page.content()
    # An admin has an inbox: of what the own organisation publishes.
    page.goto(place.url("inbox"), wait_until=READ)
    expect(page.locator("#requests")).to_be_visible()
    assert PURPOSE not in page.content()
    for path, code in {
        f"requests/{request_id}": 404,
        f"offers/{place.dataset}": 403,
        f"usage/{place.dataset}": 404,
        "audit": 403,
    }.items():
        is_refused(page, place.url(path), code)
    assert place.reason(token) == "request_needed"


def member_reads_and_does_not_decide(page: Page, place: Place, request_id: str) -> None:
    assert status(page, place) == "owner"
    for path, code in {
        f"requests/{request_id}": 404,
        "inbox": 403,
        f"offers/{place.dataset}": 403,
        f"usage/{place.dataset}": 404,
        "audit": 403,
    }.items():
        is_refused(page, place.url(path), code)


def editor_asks_back(page: Page, place: Place, request_id: str) -> None:
    page.goto(place.url("inbox"), wait_until=READ)
    waiting = page.locator(f"#request-{request_id}")
    expect(waiting).to_contain_text(PURPOSE)
    expect(waiting).to_contain_text("ngày làm việc")
    waiting.get_by_role("link", name="hồ sơ").click()
    expect(page.locator("#record")).to_contain_text(COMPANY.replace("-", " "))
    page.locator("#decide input[name=reason]").fill(QUESTION)
    page.locator("#decide").get_by_role("button", name="Hỏi thêm").click()
    expect(page.locator("#asked")).to_contain_text(QUESTION)
    is_refused(page, place.url("audit"), 403)


def founder_answers(page: Page, place: Place, request_id: str) -> None:
    assert status(page, place) == "request_info_needed"
    expect(page.locator("#access .hanoiic-thread")).to_contain_text(QUESTION)
    page.locator(f"#answer-{request_id}").fill(ANSWER)
    page.get_by_role("button", name="Gửi câu trả lời").click()
    expect(page.locator(".hanoiic-thread")).to_contain_text(ANSWER)


def officer_approves(page: Page, place: Place, request_id: str) -> None:
    page.goto(place.url(f"requests/{request_id}"), wait_until=READ)
    expect(page.locator(".hanoiic-thread")).to_contain_text(ANSWER)
    page.locator("#decide").get_by_role("button", name="Duyệt").click()
    expect(page.locator("#agreements")).to_contain_text(COMPANY.replace("-", " "))


def founder_uses_the_data(page: Page, place: Place, token: str) -> None:
    assert status(page, place) == "agreement"
    wait_for(lambda: place.reason(token) is None, "the approval at the gateway", OBEYED_WITHIN_S)
    counted = place.stack.sql(f"SELECT count(*) AS n FROM {place.table}", token)
    file = place.stack.gateway("GET", f"/v1/tables/{place.table}/download.parquet", token)
    rows = counted.json()["rows"][0]["n"]
    assert rows > 0
    assert pq.read_table(io.BytesIO(file.content)).num_rows == rows

    def is_listed() -> bool:
        page.goto(place.url("access"), wait_until=READ)
        return place.table in page.locator("#receipts").inner_text()

    wait_for(is_listed, "the receipt on the page", 10)
    expect(page.locator("#agreements")).to_contain_text("Đang hiệu lực")


def editor_sees_who_used_what(page: Page, place: Place) -> None:
    page.goto(place.url(f"usage/{place.dataset}"), wait_until=READ)
    row = page.locator("tr", has_text=COMPANY.replace("-", " "))
    expect(row).to_contain_text(place.table)
    csv = page.request.get(place.url(f"usage/{place.dataset}.csv")).text()
    assert COMPANY.replace("-", " ") in csv


def revoked_within_a_second(officer: Page, founder: Page, place: Place, token: str) -> None:
    """Measured from the answer to the officer's press of the button."""
    officer.goto(place.url("inbox"), wait_until=READ)
    held = officer.locator("article", has_text=COMPANY.replace("-", " ")).filter(
        has=officer.locator("button[formaction*=revoke]")
    )
    held.locator("input[name=reason]").fill(WHY_REVOKED)
    with officer.expect_response(lambda answer: "/revoke" in answer.url):
        held.locator("button[formaction*=revoke]").click()
    time.sleep(OBEYED_WITHIN_S)
    assert place.reason(token) == "agreement_revoked"
    assert status(founder, place) == "agreement_revoked"
    expect(founder.locator("#access")).to_contain_text(WHY_REVOKED)


def operator_finds_all_of_it_in_the_audit(page: Page, place: Place, request_id: str) -> None:
    assert status(page, place) == "operator"
    page.goto(place.url(f"audit?subject={request_id}"), wait_until=READ)
    for event in ("request_submitted", "request_info_needed", "request_approved"):
        expect(page.locator(".hanoiic-audit")).to_contain_text(event)
    page.get_by_role("button", name="Kiểm tra chuỗi").click()
    expect(page.locator("#verdict.alert-success")).to_be_visible()
