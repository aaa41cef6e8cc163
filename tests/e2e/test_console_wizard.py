"""An officer's browser: the wizard from an address to a version, and the release of a held one."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.browser import new_page
from tests.e2e.conftest import Stack
from tests.e2e.test_main_job import sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

ENDED = "#hanoiic-run:not([data-open])"
ENDED_TIMEOUT_MS = 60_000
GUESTS = "Họ và tên,Số CCCD,Điện thoại,Phường\n" + "".join(
    f"Nguyễn Văn {'ABCDEGHIK'[i % 9]},001088{100_000 + i * 37},09{12_345_678 + i * 7919},"
    f"Phường {['Ba', 'Đình', 'Hoàn', 'Kiếm', 'Láng'][i % 5]}\n"
    for i in range(40)
)


def look(page: Page, stack: Stack) -> None:
    """Send the first step and wait for what the worker saw."""
    page.click("form[data-add-form] button[type=submit]")
    page.wait_for_url("**/hanoiic/previews/*")
    page.wait_for_selector(ENDED, timeout=ENDED_TIMEOUT_MS)


def describe(page: Page, title: str) -> str:
    """Fill in the form of the source; the state of its first harvest."""
    page.wait_for_url("**/hanoiic/sources/new?preview=*")
    page.fill("#field-title", title)
    page.select_option("[name='dataset.license_id']", "CC-BY-4.0")
    page.click("form[data-source-form] button[type=submit]")
    page.wait_for_url("**/hanoiic/runs/*")
    return report(page)


def report(page: Page) -> str:
    """The text of a report when its harvest has ended."""
    page.wait_for_selector(ENDED, timeout=ENDED_TIMEOUT_MS)
    return page.locator(ENDED).inner_text()


def test_wizard_from_an_address_to_a_published_version(stack: Stack) -> None:
    with new_page() as page:
        sign_in(page, stack, "officer")
        page.goto(f"{stack.portal_url}/hanoiic/previews/new")
        page.fill("#field-url", f"{stack.departments_url}/environment/air-quality-hourly.csv")
        look(page, stack)
        seen = page.locator(".hanoiic-console").inner_text()
        assert "Bảng CSV hoặc văn bản" in seen
        assert "PM2.5" in seen

        # A title and a rule for the first column: looked at once more, then on.
        page.locator("input[name='column.0-0.title']").fill("Mã trạm quan trắc")
        page.locator(".hanoiic-column-rules summary").first.click()
        page.check("[name='column.0-0.required']")
        page.click("[name=again]")
        page.wait_for_selector("[name=go_on]", timeout=ENDED_TIMEOUT_MS)
        assert page.input_value("input[name='column.0-0.title']") == "Mã trạm quan trắc"
        assert page.is_checked("[name='column.0-0.required']")
        page.click("[name=go_on]")

        assert "Đã công bố" in describe(page, "Thuật sĩ: chất lượng không khí")
    source = stack.call("hanoiic_source_show", "officer", id="thuat-si-chat-luong-khong-khi")
    (pins,) = source["options"]["columns"].values()
    assert pins == {"title": "Mã trạm quan trắc", "required": True}
    run = stack.call("hanoiic_run_show", "officer", id=source["last_run"]["id"])
    assert run["tables"][0]["row_count"] > 0


def test_a_held_version_is_released_without_its_personal_columns(
    stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "khach-den.csv"
    file.write_text(GUESTS, encoding="utf-8")
    with new_page() as page:
        sign_in(page, stack, "officer")
        page.goto(f"{stack.portal_url}/hanoiic/previews/new")
        page.set_input_files("#field-upload", file)
        look(page, stack)
        assert "dữ liệu cá nhân" in page.locator(".hanoiic-console").inner_text().lower()
        page.click("[name=go_on]")
        assert "Chờ bạn duyệt" in describe(page, "Khách đến trụ sở")

        page.click("nav.hic-desk a[href$='/hanoiic/held']")
        page.get_by_role("link", name="Khách đến trụ sở").first.click()
        page.locator("select[name='column.1.mask']").select_option("hash")
        page.fill("#field-note", "Họ tên và điện thoại bỏ đi, số căn cước thay bằng mã.")
        page.click("[name=decision][value=approve]")
        page.wait_for_url("**/hanoiic/runs/*")
        assert "Đã công bố" in report(page)
    source = stack.call("hanoiic_source_show", "officer", id="khach-den-tru-so")
    run = stack.call("hanoiic_run_show", "officer", id=source["last_run"]["id"])
    assert (run["trigger"], run["state"]) == ("release", "published")
    dataset = stack.call("package_show", "officer", id=run["tables"][0]["dataset"])
    columns = [column["name"] for column in dataset["resources"][0]["columns"]]
    assert "Phường" in columns
    assert "Họ và tên" not in columns
    assert "Điện thoại" not in columns
