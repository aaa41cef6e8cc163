"""Suggestions under the search box, by keyboard alone."""

from __future__ import annotations

import pytest

from tests.e2e.browser import new_page
from tests.e2e.conftest import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

TITLE = "Chất lượng không khí theo giờ tại các trạm quan trắc"


def test_a_dataset_is_reached_by_keyboard(stack: Stack) -> None:
    with new_page() as page:
        page.goto(stack.portal_url)
        box = page.locator("#hic-q")
        box.focus()
        page.keyboard.type("khong khi")
        options = page.locator("#hic-q-list [role=option]")
        options.first.wait_for()
        assert box.get_attribute("role") == "combobox"
        assert box.get_attribute("aria-expanded") == "true"
        assert box.get_attribute("aria-activedescendant") is None

        page.keyboard.press("Escape")
        assert options.first.is_hidden()
        assert box.get_attribute("aria-expanded") == "false"

        page.keyboard.press("ArrowDown")
        options.first.wait_for()
        page.keyboard.press("ArrowDown")
        chosen = page.locator("#hic-q-list [aria-selected=true]")
        assert chosen.count() == 1
        assert chosen.get_attribute("id") == box.get_attribute("aria-activedescendant")
        page.keyboard.press("ArrowUp")
        assert box.get_attribute("aria-activedescendant") is None

        while TITLE not in (chosen.all_inner_texts() or [""])[0]:
            before = box.get_attribute("aria-activedescendant")
            page.keyboard.press("ArrowDown")
            assert box.get_attribute("aria-activedescendant") not in (before, None)
        page.keyboard.press("Enter")
        page.wait_for_url("**/dataset/chat-luong-khong-khi-theo-gio")


def test_enter_alone_searches_for_what_was_typed(stack: Stack) -> None:
    with new_page() as page:
        page.goto(f"{stack.portal_url}/about")
        page.locator("#hic-header-q").fill("khong khi")
        page.locator("#hic-header-q-list [role=option]").first.wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url("**/dataset/?q=khong+khi")
