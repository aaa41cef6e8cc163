"""A department's datasets with offers: what callers are told of them, and editions written."""

from __future__ import annotations

import copy
from typing import Any

from ckan import model
from ckan.tests import factories
from ckanext.hanoiic.licensing import licence_desk, licences
from licensing_scene import Scene, act

COLUMNS = [
    {"name": "mã", "type": "int64"},
    {"name": "tên", "type": "string"},
    {"name": "phường", "type": "string"},
    {"name": "ngày", "type": "date"},
    {"name": "lúc", "type": "timestamp"},
    {"name": "giá", "type": "decimal(12,2)"},
    {"name": "mở", "type": "boolean"},
    {"name": "chỗ", "type": "geometry"},
]

SHOWN = {"columns": ["mã", "tên"], "masks": {"tên": {"kind": "truncate", "length": 1}}}


def dataset(scene: Scene, tier: str, *tables: str, **fields: Any) -> dict[str, Any]:
    resources = [
        {"url": f"http://gateway.test/{name}.csv", "lake_table": name, "columns": COLUMNS}
        for name in tables or ("t",)
    ]
    return factories.Dataset(
        owner_org=scene.department["id"], access_tier=tier,
        license_id=fields.pop("license_id", "hanoi-open-data"), resources=resources, **fields,
    )  # fmt: skip


def offer(scene: Scene, of: dict[str, Any], tier: str, **terms: Any) -> dict[str, Any]:
    given = {"licence": "hanoi-open-data", **terms}
    return act("hanoiic_offer_update", scene.officer, dataset=of["id"], tier=tier, **given)


def told(
    scene: Scene, token: str | None, table: str = "t", action: str = "query"
) -> dict[str, Any]:
    return scene.ask(token, [table], action)["tables"][table]


def write(scene: Scene, table: str | None = None, version: int = 1) -> list[dict[str, Any]]:
    """Do as the harvest worker: report every wanted edition written."""
    wanted = act("hanoiic_edition_list", scene.harvester, **({"table": table} if table else {}))
    for one in wanted:
        act(
            "hanoiic_edition_report", scene.harvester, edition=one["edition"], table=one["table"],
            version=version, state="written",
        )  # fmt: skip
    return wanted


def text(**more: Any) -> dict[str, Any]:
    shipped = licences.shipped()["hanoi-open-data"].columns()
    words = {name: copy.deepcopy(shipped[name]) for name in licence_desk.WRITTEN}
    return {"id": "hanoi-open-data", **words, **more}


def lake_version(of: dict[str, Any], version: int) -> None:
    """What a harvest tells the catalogue of the dataset's one table."""
    (resource,) = model.Package.get(of["id"]).resources
    resource.extras = {**resource.extras, "lake_version": version}
    model.Session.commit()
