"""The rooms do not import each other: they meet in files and over HTTP."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "ckanext": ROOT / "ckanext-hanoiic",
    "harvesters": ROOT / "harvesters",
    "lake": ROOT / "lake",
    "api_gateway": ROOT / "api_gateway",
    "deploy": ROOT / "deploy",
}
# What a room must not import, by the first or the whole dotted name.
FORBIDDEN = {
    "ckanext": {"harvesters", "lake", "api_gateway", "deploy"},
    "harvesters": {"ckan", "ckanext", "api_gateway", "deploy", "flask"},
    "lake": {"ckan", "ckanext", "harvesters", "api_gateway", "deploy", "flask", "duckdb"},
    "api_gateway": {"ckan", "ckanext", "harvesters", "deploy", "ckanapi"},
    "deploy": {"ckan", "ckanext", "harvesters", "api_gateway"},
}
# Of the lake the launcher knows the settings and the logs only.
DEPLOY_OF_LAKE = {"lake.settings", "lake.errors", "lake.logs"}


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_no_other(room):
    files = list(ROOMS[room].rglob("*.py"))
    assert files
    for file in files:
        wrong = {name for name in imported(file) if name.split(".")[0] in FORBIDDEN[room]}
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_a_harvester_loads_no_ckan_through_a_library():
    """As where no CKAN is installed: ckanapi would load it, for its error classes."""
    loaded = "import sys, harvesters.cli; print(sorted({n.split('.')[0] for n in sys.modules}))"
    told = subprocess.check_output([sys.executable, "-c", loaded], text=True)
    modules = set(ast.literal_eval(told))
    assert "ckanapi" in modules
    assert not modules & {"ckan", "flask"}


def test_the_launcher_takes_only_settings_from_the_lake():
    for file in ROOMS["deploy"].rglob("*.py"):
        lake = {name for name in imported(file) if name.split(".")[0] == "lake"}
        assert lake <= DEPLOY_OF_LAKE, file


@pytest.mark.parametrize("room", ["harvesters", "lake", "api_gateway", "deploy"])
def test_nothing_reads_the_environment_at_import(room):
    """Settings are built once, at an entry point; module level code touches no environment."""
    for file in ROOMS[room].rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if is_text or isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            text = ast.unparse(node)
            assert "os.environ" not in text, file
            assert "getenv" not in text, file


def test_third_party_modules_are_requirements():
    """Every module that a room imports is of the standard library, a room, or installed."""
    known = set(sys.stdlib_module_names) | set(ROOMS)
    for room, folder in ROOMS.items():
        for file in folder.rglob("*.py"):
            for name in imported(file):
                top = name.split(".")[0]
                if top not in known:
                    assert __import__("importlib").util.find_spec(top), f"{room}: {name}"
