"""Every setting, error code, command and make target is documented, and nothing else is."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from lake.settings import HANDED_ON, LAUNCHER, rows

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {
    "deploy": "deploy.settings:Settings",
    "departments": "deploy.departments.settings:Settings",
    "gateway": "api_gateway.settings:Settings",
    "harvest": "harvesters.settings:Settings",
}
ERROR_TREES = {
    "console": "ckanext.hanoiic.console.errors:ConsoleError",
    "licensing": "ckanext.hanoiic.licensing.errors:LicensingError",
    "deploy": "deploy.errors:DeployError",
    "gateway": "api_gateway.errors:GatewayError",
    "harvest": "harvesters.errors:HarvestError",
    "lake": "lake.errors:LakeError",
}
COMMANDS = {"hanoiic": "deploy.cli:parser", "hanoiic-harvest": "harvesters.cli:parser"}


def load(path: str) -> object:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def first_column(file: Path) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", file.read_text(encoding="utf-8"), re.MULTILINE))


def codes(tree: type[Exception]) -> set[str]:
    found = {tree.code}  # type: ignore[attr-defined]
    for child in tree.__subclasses__():
        found |= codes(child)
    return found


@pytest.mark.parametrize("room", SETTINGS)
def test_settings_table_is_the_settings_class(room):
    documented = first_column(ROOT / f"docs/settings.d/{room}.md")
    assert documented == {row.name for row in rows(load(SETTINGS[room]))}


def test_every_room_knows_what_a_shell_exports_for_the_launcher():
    assert {row.name for row in rows(load(SETTINGS["deploy"]))} == LAUNCHER


@pytest.mark.parametrize("room", HANDED_ON)
def test_the_launcher_hands_on_every_setting_that_it_does_not_make_itself(room):
    own = {
        *("HANOIIC_PORTAL_URL", "HANOIIC_GATEWAY_URL", "HANOIIC_LOG_LEVEL"),
        *("HANOIIC_REDIS_URL_FILE", "HANOIIC_GATEWAY_CREDENTIAL_FILE", "HANOIIC_RECEIPT_KEY_FILE"),
        *("HANOIIC_HARVEST_DATABASE_URL_FILE", "HANOIIC_HARVEST_CREDENTIAL_FILE"),
        *("HANOIIC_HARVEST_MASK_KEY_FILE", "HANOIIC_HARVEST_ALLOWED_HOSTS"),
    }
    assert {row.name for row in rows(load(SETTINGS[room]))} - own == HANDED_ON[room]


@pytest.mark.parametrize("room", ERROR_TREES)
def test_every_error_code_has_a_row(room):
    package = ERROR_TREES[room].split(".")[0]
    for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
        # A compiled library lies there too, which is no module.
        if not module.name.rpartition(".")[2].startswith("_row_text"):
            importlib.import_module(module.name)
    documented = first_column(ROOT / f"docs/errors.d/{room}.md")
    assert codes(load(ERROR_TREES[room])) <= documented


def test_metrics_table_is_what_the_gateway_counts():
    module = importlib.import_module("api_gateway.metrics")
    found = {
        family.name
        for metric in vars(module).values()
        if hasattr(metric, "collect") and hasattr(metric, "_labelnames")
        for family in metric.collect()
    }
    assert first_column(ROOT / "docs/metrics.md") == found


@pytest.mark.parametrize("program", COMMANDS)
def test_every_command_is_in_the_documentation(program):
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    parser = load(COMMANDS[program])()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name in action.choices:
                assert f"`{program} {name}" in text, f"{program} {name}"


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z -]*):", makefile, re.MULTILINE))
    known = {name for target in targets for name in target.split()}
    mentioned = set(re.findall(r"(?:`|^)make ([a-z-]+)", readme, re.MULTILINE))
    assert {"up", "test"} <= mentioned <= known


def anchors(page: Path) -> set[str]:
    """What GitHub and others make of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_of_the_documentation_lead_somewhere():
    pages = [*ROOT.glob("*.md"), ROOT / "api_gateway/README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for path, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
            target = page.parent / path if path else page
            assert target.exists(), f"{page.relative_to(ROOT)}: {path}"
            if anchor:
                assert anchor in anchors(target), f"{page.relative_to(ROOT)}: {path}#{anchor}"


def test_every_acceptance_case_of_licensing_is_tested_where_the_documentation_says():
    text = (ROOT / "docs/licensing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) [^|]+ \| (.+) \|$", text, re.MULTILINE)
    documented = {
        (int(number), target)
        for number, links in rows
        for target in re.findall(r"\]\(\.\./([^)]+)\)", links)
    }
    tested = {
        (int(number), str(file.relative_to(ROOT)))
        for file in (ROOT / "tests").rglob("test_*.py")
        for number in re.findall(r"def test_case_(\d\d)_", file.read_text(encoding="utf-8"))
    }
    assert [int(number) for number, _ in rows] == list(range(1, 26))
    assert documented == tested
