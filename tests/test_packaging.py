"""The package list, the packages on disk and the files they need agree."""

from __future__ import annotations

import configparser
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("api_gateway", "deploy", "harvesters", "lake")
EXTENSION = ROOT / "ckanext-hanoiic"


def configuration() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def listed(option: str, section: str = "options") -> list[str]:
    return [line for line in configuration()[section][option].split("\n") if line.strip()]


def packages_on_disk() -> set[str]:
    found = set()
    for base, top in [(ROOT, room) for room in ROOMS] + [(EXTENSION, "ckanext")]:
        for init in (base / top).rglob("__init__.py"):
            found.add(".".join(init.parent.relative_to(base).parts))
    return found


def test_listed_packages_are_those_on_disk():
    assert set(listed("packages")) == packages_on_disk()


def test_namespace_package_has_no_init():
    assert not (EXTENSION / "ckanext" / "__init__.py").exists()


def test_every_entry_point_loads():
    groups = ("console_scripts", "ckan.plugins", "ckan.rdf.profiles")
    ours = [
        point
        for group in groups
        for point in entry_points(group=group)
        if point.dist and point.dist.name == "hanoiic"
    ]
    assert {point.name for point in ours} >= {"hanoiic", "hanoiic-harvest", "hanoiic_search"}
    for point in ours:
        if point.group == "console_scripts":
            assert callable(point.load())


def test_data_files_of_the_packages_are_in_the_manifest():
    """Whatever is not Python in a package must be shipped: MANIFEST.in names its suffix."""
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    tracked = subprocess.run(
        ["git", "ls-files", *ROOMS, "ckanext-hanoiic"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    suffixes = {Path(name).suffix for name in tracked} - {".py"}
    missing = {suffix for suffix in suffixes if f"*{suffix}" not in manifest}
    assert not missing
