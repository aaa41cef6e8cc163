"""A real browser for the tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOW_TO_ENABLE = "browser tests need Chromium: apt-get install -y chromium"


def chromium() -> str:
    """The browser's program; root on Debian installs it, anybody else skips with one line."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    if os.getuid() == 0 and Path("/etc/debian_version").exists():
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 600}
        subprocess.run(["apt-get", "update"], **quiet)
        subprocess.run(
            ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            **quiet,
        )
        found = shutil.which("chromium")
    if not found:
        pytest.skip(HOW_TO_ENABLE)
    return found


@contextmanager
def new_page(width: int = 1366, height: int = 900) -> Iterator[Page]:
    """A page of a new browser with a profile of its own; script errors fail the test."""
    program = chromium()
    errors: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="hanoiic-chromium-") as profile,
        sync_playwright() as playwright,
    ):
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=program,
            headless=True,
            args=FLAGS,
            viewport={"width": width, "height": height},
            locale="vi-VN",
            accept_downloads=True,
        )
        page = context.pages[0]
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        context.close()
    assert not errors, errors


@contextmanager
def new_people(width: int = 1366, height: int = 900) -> Iterator[Callable[[], Page]]:
    """One browser for several people: each call is a page with cookies of its own; script errors
    of any page fail the test."""
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS)

        def person() -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": height}, locale="vi-VN", accept_downloads=True
            )
            page = context.new_page()
            page.set_default_timeout(20_000)
            page.on("pageerror", lambda error: errors.append(str(error)))
            return page

        yield person
        browser.close()
    assert not errors, errors
