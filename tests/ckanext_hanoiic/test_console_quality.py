"""The quality of a dataset: five dimensions and their mean, by hand-made numbers and on pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from ckan.tests import factories
from ckanext.hanoiic.console import dataset_quality, quality, quality_views, wording
from console_scene import text

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPLAINED = {
    "notes": "Mô tả",
    "notes_en": "Notes",
    "title_en": "Stops",
    "license_id": "CC-BY-4.0",
    "contact_email": "lien-he@example.vn",
    "update_frequency": "DAILY",
}


def table(rows=100, age=timedelta(hours=1), columns=(), **shares):
    return {
        "lake_table": "t",
        "row_count": str(rows),
        "lake_version_at": (NOW - age).isoformat(),
        "quality": json.dumps(shares),
        "columns": json.dumps(list(columns)),
    }


def found(dataset, checked_at=None):
    return quality.of_dataset(dataset, checked_at, NOW)


def test_tables_count_by_their_rows():
    tables = [table(300, completeness=1.0, validity=0.5), table(100, completeness=0.6)]
    dimensions = found({"resources": tables}).dimensions
    assert dimensions["completeness"] == pytest.approx(0.9)
    # A table that says nothing of validity has no part in it.
    assert dimensions["validity"] == 0.5
    assert dimensions["uniqueness"] is None


@pytest.mark.parametrize(
    ("frequency", "age", "expected"),
    [
        ("DAILY", timedelta(days=1), 1.0),
        ("DAILY", timedelta(days=8), 0.25),
        ("HOURLY", timedelta(hours=2), 1.0),
        ("ANNUAL", timedelta(days=360), 1.0),
        ("IRREG", timedelta(days=1), None),
        ("UNKNOWN", timedelta(days=1), None),
        ("DAILY", None, None),
    ],
)
def test_timeliness_falls_with_age_beyond_the_promise(frequency, age, expected):
    assert quality.timeliness(frequency, age) == expected


def test_a_harvest_that_found_nothing_new_keeps_the_data_timely():
    old = {"update_frequency": "DAILY", "resources": [table(age=timedelta(days=30))]}
    assert found(old).dimensions["timeliness"] < 0.1
    looked = found(old, checked_at=NOW - timedelta(hours=3))
    assert looked.dimensions["timeliness"] == 1.0
    assert looked.age == timedelta(hours=3)


def test_interpretability_is_what_is_explained():
    plain = [{"name": "a", "type": "string"}, {"name": "n", "type": "int64"}]
    told = [{**plain[0], "title": "Tên"}, {**plain[1], "description": "Số", "unit": "người"}]
    nothing = found({"resources": [table(columns=plain)]})
    everything = found({**EXPLAINED, "resources": [table(columns=told)]})
    half = found({**EXPLAINED, "resources": [table(columns=plain)]})
    assert [one.dimensions["interpretability"] for one in (nothing, half, everything)] == [
        0,
        0.5,
        1,
    ]
    # Of a number the unit is half of what is to be said; a text needs none.
    assert quality.explains({"type": "decimal(10,2)", "title": "Giá"}) == 0.5
    assert quality.explains({"type": "string", "title": "Tên"}) == 1.0


def test_the_score_is_the_weighted_mean_of_what_is_known():
    assert sum(quality.WEIGHTS.values()) == pytest.approx(1)
    assert quality.WEIGHTS.keys() == quality.DIMENSIONS.keys()
    known = {"completeness": 1.0, "validity": 0.5}
    given = quality.Quality({**dict.fromkeys(quality.WEIGHTS), **known}, None)
    assert given.score == pytest.approx(0.75)
    assert quality.Quality(dict.fromkeys(quality.WEIGHTS), None).score is None


@pytest.mark.parametrize(
    "broken",
    [{"quality": "{"}, {"quality": "[1]"}, {"columns": '"x"'}, {"lake_version_at": "gestern"}],
)
def test_numbers_that_are_none_do_not_break_the_page(broken):
    dataset = {"update_frequency": "DAILY", "resources": [{**table(), **broken}]}
    assert found(dataset).dimensions["completeness"] is None


@pytest.mark.parametrize("wrong", [True, "0.5", -0.1, 1.1, None])
def test_a_share_is_a_number_from_0_to_1(wrong):
    assert quality.share(wrong) is None


def test_a_dataset_without_tables_has_no_score():
    assert found({**EXPLAINED, "resources": [{"url": "https://example.vn/a.pdf"}]}).score is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (1.0, "100\u00a0%"),
        (0.9999, "99\u00a0%"),
        (0.994, "99\u00a0%"),
        (0.0, "0\u00a0%"),
    ],
)
def test_only_all_is_shown_as_100_per_cent(value, shown):
    assert wording.percent(value) == shown


def test_quality_is_shown_by_dataset_and_on_its_page(clean_index, browse, department):
    columns = [{"name": "a", "ascii": "a", "type": "string", "title": "Tên"}]
    resource = {
        "name": "Bảng",
        "url": "https://gateway.example/v1/tables/t/download.csv",
        "lake_table": "so_giao_thong_t",
        "lake_version": 1,
        "lake_version_at": "2026-03-01T00:00:00Z",
        "row_count": 10,
        "columns": columns,
        "quality": {"completeness": 0.5, "validity": 1.0, "uniqueness": 0.75, "rejected_rows": 0},
    }
    factories.Dataset(
        name="bo", title="Bộ thử", owner_org=department["id"], resources=[resource],
        update_frequency="UNKNOWN", access_tier="open",
    )  # fmt: skip
    page, _path = browse("/hanoiic/quality")
    assert "Bộ thử" in text(page)
    page, _path = browse("/hanoiic/quality/bo")
    said = text(page)
    assert "Tính đầy đủ 50 %" in said
    assert "Tính duy nhất 75 %" in said
    assert "Tính kịp thời —" in said
    assert "25 % × tính đầy đủ" in said
    box, _path = browse("/dataset/bo")
    assert "Tính đầy đủ" in box.select_one("#quality").get_text()


def test_numbers_of_a_dataset_that_is_not_seen_are_not_found(stage, department):
    factories.Dataset(name="mat", owner_org=department["id"], private=True)
    for never in ("mat", "khong-co"):
        stage.get(f"/hanoiic/quality/{never}", status=404)


def test_the_list_has_every_dataset_and_the_worst_first(browse, department, monkeypatch):
    monkeypatch.setattr(dataset_quality, "A_TIME", 2)
    monkeypatch.setattr(quality_views, "A_PAGE", 3)
    for number in range(5):
        resource = {
            "url": f"https://gateway.example/v1/tables/t{number}/download.csv",
            "lake_table": f"so_giao_thong_t{number}",
            "quality": {"completeness": 0.9 - number / 10, "validity": 1.0, "rejected_rows": 0},
        }
        of = {"owner_org": department["id"], "access_tier": "open"}
        factories.Dataset(name=f"nhom-{number}", resources=[resource], **of)

    def names(path):
        found, _path = browse(path)
        return [a["href"].rpartition("/")[2] for a in found.select("td a[href*='/quality/']")]

    shown = [names(f"/hanoiic/quality?datasets={number}") for number in (1, 2)]
    assert len(shown[0]) == 3
    worst_first = [name for name in (*shown[0], *shown[1]) if name.startswith("nhom-")]
    assert worst_first == ["nhom-4", "nhom-3", "nhom-2", "nhom-1", "nhom-0"]
