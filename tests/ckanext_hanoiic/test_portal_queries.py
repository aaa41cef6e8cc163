"""What a page asks of the database does not grow with the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from ckan import model
from ckan.tests import factories, helpers
from ckanext.hanoiic.licensing import licences
from portal_scene import page

pytest_plugins = ("portal_scene",)

PAGES = (
    "/",
    "/dataset/",
    "/dataset/?q=diem+dung",
    "/dataset/diem-dung",
    "/organization/so-xay-dung",
)
FEW, MANY = 5, 50
IN_SCENE = 2
DEPARTMENTS = 5
# Pages, and the most statements of each for a visitor; a page that needs more should say why.
MOST = {
    "/": 12,
    "/dataset/": 8,
    "/dataset/?q=diem+dung": 25,
    # Two of them for the offers of the dataset and of its tables.
    "/dataset/diem-dung": 8,
    "/organization/so-xay-dung": 32,
}


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that any connection of this process executes meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)


def asked(site: Any, path: str, user: dict[str, Any] | None = None) -> list[str]:
    page(site, path, user)  # warm: what is read once a process is read
    with statements() as seen:
        page(site, path, user)
    return seen


def grow(numbers: range) -> None:
    for number in numbers:
        helpers.call_action(
            "package_create",
            name=f"them-{number}",
            title=f"Điểm dừng số {number}",
            owner_org=f"so-{number % DEPARTMENTS}",
            access_tier="open",
            update_frequency="DAILY",
            license_id="CC-BY-4.0",
            spatial_wards=["00004", "00166"],
            resources=[
                {
                    "name": "Bảng",
                    "url": "http://gateway.test:8000/x.csv",
                    "format": "CSV",
                    "lake_table": f"more_{number}",
                    "lake_version": 1,
                    "lake_version_at": "2026-01-31T20:00:00Z",
                    "row_count": 3,
                }
            ],
        )


def test_pages_ask_as_much_of_a_large_catalogue_as_of_a_small_one(site, own_scene, monkeypatch):
    # Read anew every two seconds, whatever is asked for.
    monkeypatch.setattr(licences, "LISTED_FOR_S", 3600.0)
    monkeypatch.setattr(model.Package, "_license_register", licences.Register())
    for number in range(DEPARTMENTS):
        factories.Organization(name=f"so-{number}", title=f"Sở {number}")
    grow(range(FEW - IN_SCENE))
    small = {path: asked(site, path) for path in MOST}
    grow(range(FEW - IN_SCENE, MANY - IN_SCENE))
    large = {path: asked(site, path) for path in MOST}
    for path in MOST:
        assert len(large[path]) <= len(small[path]), (path, large[path])
        assert len(large[path]) <= MOST[path], (path, large[path])
