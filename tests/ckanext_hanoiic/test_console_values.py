"""What a source may say: every wrong value has its complaint beside its field."""

from __future__ import annotations

import json

import pytest
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckan.tests.helpers import call_action
from ckanext.hanoiic.console import report
from ckanext.hanoiic.console.kinds import guess_kind
from ckanext.hanoiic.console.model import Source
from ckanext.hanoiic.console.slugs import slug
from ckanext.hanoiic.console.source_fields import table_name_for


@pytest.fixture
def create(stage, clean_db):
    factories.User(name="hanoiic-harvester")
    organisation = factories.Organization(name="so-y-te")

    def create(**changes):
        values = {
            "name": "benh-vien",
            "title": "Bệnh viện",
            "owner_org": organisation["id"],
            "kind": "csv",
            "url": "https://soyte.example.vn/benh-vien.csv",
        }
        return call_action("hanoiic_source_create", **{**values, **changes})

    return create


WRONG = [
    ("name", {"name": "Bệnh viện"}),
    ("title", {"title": ""}),
    ("title", {"title": "x" * 301}),
    ("owner_org", {"owner_org": "no-such"}),
    ("kind", {"kind": "fax"}),
    ("url", {"url": "ftp://soyte.example.vn/a.csv"}),
    ("url", {"url": "postgresql://soyte.example.vn/a"}),
    ("url", {"url": "https://"}),
    ("url", {"url": "https://an:bi-mat@soyte.example.vn/a.csv"}),
    ("url", {"url": "https://an@soyte.example.vn/a.csv"}),
    ("url", {"url": "https://soyte.example.vn:99999/a.csv"}),
    ("url", {"url": "https://soyte.example.vn/a b.csv"}),
    ("url", {"url": "https://[::1/a.csv"}),
    ("schedule", {"schedule": "every day"}),
    ("state", {"state": "deleted"}),
    ("message", {"adress": "https://soyte.example.vn"}),
    ("options", {"options": "{"}),
    ("options", {"options": [1]}),
    ("options", {"options": {"encodign": "utf-8"}}),
    ("options.delimiter", {"options": {"delimiter": "tab"}}),
    ("options.decimal", {"options": {"decimal": ";"}}),
    ("options.header_row", {"options": {"header_row": "1"}}),
    ("options.header_row", {"options": {"header_row": True}}),
    ("options.max_rejected_share", {"options": {"max_rejected_share": 5}}),
    ("options.text_encoding", {"options": {"text_encoding": "utf-8"}}),
    ("options.columns", {"options": {"columns": {"Giá": {"text_encoding": "vntime"}}}}),
    ("options.columns", {"options": {"columns": {"Giá": {"typ": "int64"}}}}),
    ("options.columns", {"options": {"columns": {"Giá": {"type": "money"}}}}),
    ("options.columns", {"options": {"columns": {"Giá": {"pattern": "("}}}}),
    ("dataset", {"dataset": {"licence": "cc-by"}}),
    ("dataset.table", {"dataset": {"table": "Bệnh viện"}}),
    ("dataset.table", {"dataset": {"table": "a" * 64}}),
    ("dataset.access_tier", {"dataset": {"access_tier": "free"}}),
    ("dataset.license_id", {"dataset": {"license_id": "no-such"}}),
    ("dataset.groups", {"dataset": {"groups": ["no-such"]}}),
    ("dataset.update_frequency", {"dataset": {"update_frequency": "daily"}}),
    ("dataset.temporal_start", {"dataset": {"temporal_start": "31/01/2026"}}),
    ("dataset.contact_email", {"dataset": {"contact_email": "soyte"}}),
    ("dataset.spatial_wards", {"dataset": {"spatial_wards": ["Ba Đình"]}}),
    ("dataset.is_simulated", {"dataset": {"is_simulated": "maybe"}}),
]


def test_each_wrong_value_has_its_complaint_beside_its_field(create):
    for field, changes in WRONG:
        with pytest.raises(tk.ValidationError) as refused:
            create(**changes)
        assert set(refused.value.error_dict) == {field}, changes
        assert refused.value.error_dict[field][0], changes
    assert call_action("hanoiic_source_list") == []


def test_credentials_in_the_address_are_never_repeated(create):
    with pytest.raises(tk.ValidationError) as refused:
        create(url="https://an:bi-mat@soyte.example.vn/a.csv")
    assert "bi-mat" not in str(refused.value.error_dict)


def test_open_data_is_registered_with_a_licence_whoever_registers_it(create):
    bare, licensed = {"access_tier": "open"}, {"access_tier": "open", "license_id": "CC-BY-4.0"}

    def refused(call) -> None:
        with pytest.raises(tk.ValidationError) as error:
            call()
        assert set(error.value.error_dict) == {"dataset.license_id", "code"}
        assert error.value.error_dict["code"] == ["licence_missing"]

    refused(lambda: create(dataset=bare))
    assert call_action("hanoiic_source_list") == []
    # A catalogue tells the licences of its datasets.
    create(name="danh-muc", kind="ckan", dataset=bare)
    made = create(dataset=licensed)["id"]
    refused(lambda: call_action("hanoiic_source_update", id=made, dataset=bare))
    # One of the time before licences were asked for can still be paused.
    model.Session.query(Source).get(made).dataset = {**bare, "table": "so_y_te_benh_vien"}
    model.Session.commit()
    assert call_action("hanoiic_source_update", id=made, state="paused")["state"] == "paused"
    refused(lambda: call_action("hanoiic_source_update", id=made, dataset=bare))


def test_unknown_option_names_the_valid_ones(create):
    with pytest.raises(tk.ValidationError) as refused:
        create(options={"encodign": "utf-8"})
    (complaint,) = refused.value.error_dict["options"]
    assert "encodign" in complaint
    assert "encoding" in complaint.split("encodign")[1]


def test_everything_an_officer_may_say_is_kept(create):
    factories.Group(name="health")
    options = {
        "encoding": "tcvn3",
        "delimiter": "\t",
        "decimal": ",",
        "header_row": 0,
        "skip_rows": 2,
        "sheet": "Tháng 1",
        "text_encoding": "auto",
        "max_rejected_share": 0.5,
        "columns": {
            "Số giường": {"type": "int64", "required": True, "minimum": 0, "unit": "giường"},
            "Giá": {"type": "decimal(12,2)", "maximum": 1e6},
            "Ngày": {"type": "date", "format": "dmy", "minimum": "2020-01-01"},
            "Tên": {"text_encoding": "vni"},
        },
    }
    dataset = {
        "table": "so_y_te_benh_vien",
        "title": "Bệnh viện công",
        "groups": ["health"],
        "tags": ["y tế", {"name": "bệnh viện"}],
        "is_simulated": True,
        "temporal_start": "2026-01-31",
        "spatial_wards": ["00004"],
        "access_tier": "open",
        "license_id": "CC-BY-4.0",
    }
    source = create(options=json.dumps(options), dataset=dataset)
    assert source["options"] == options
    assert source["dataset"] == {
        **dataset,
        "groups": [{"name": "health"}],
        "tags": [{"name": "y tế"}, {"name": "bệnh viện"}],
        "is_simulated": "true",
    }
    # What is shown may be said back whole.
    assert call_action("hanoiic_source_update", **source)["dataset"] == source["dataset"]


def test_name_and_table_belong_to_one_living_source(create):
    first = create()
    with pytest.raises(tk.ValidationError) as refused:
        create()
    assert set(refused.value.error_dict) == {"name", "dataset.table"}
    call_action("hanoiic_source_delete", id=first["id"])
    assert create()["id"] != first["id"]
    assert call_action("hanoiic_source_show", id=first["id"])["state"] == "deleted"


def test_without_the_harvester_no_source_is_registered(create):
    call_action("user_delete", id="hanoiic-harvester")
    with pytest.raises(tk.ValidationError) as refused:
        create()
    assert refused.value.error_dict["code"] == ["harvester_missing"]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://a.vn/x.CSV?v=1", "csv"),
        ("https://a.vn/x.xlsx", "excel"),
        ("https://a.vn/x.geojson", "geojson"),
        ("https://a.vn/gtfs.zip#now", "gtfs"),
        ("https://a.vn/", "csv"),
        ("https://[", "csv"),
        ("postgresql://csdl.a.vn/so", "sql"),
    ],
)
def test_kind_is_guessed_from_the_address(url, kind):
    assert guess_kind(url) == kind


def test_slugs_and_table_names():
    assert slug("Điểm dừng xe buýt – Quận Đống Đa") == "diem-dung-xe-buyt-quan-dong-da"
    assert table_name_for("so-giao-thong", "2026-xe") == "so_giao_thong_2026_xe"
    assert table_name_for("9-so", "x").startswith("t_9")
    assert len(table_name_for("a" * 60, "b" * 60)) == 63


def test_report_is_merged_once_and_cut():
    row = {"table": "t", "row": 1, "column": "a", "value": "x" * 9999, "reason": "\x00"}
    rows = [{**row, "row": number} for number in range(150)]
    kept = report.merge_rejected([], rows)
    assert len(kept) == report.REJECTED_KEPT
    assert report.merge_rejected(kept, rows) == kept
    assert len(kept[0]["value"]) == report.VALUE_LONGEST
    assert "\x00" not in kept[0]["reason"]

    stages = report.merge_stages([], [{"stage": "publish"}, {"stage": "fetch", "state": "running"}])
    assert [stage["stage"] for stage in stages] == ["fetch", "publish"]
    stages = report.merge_stages(stages, [{"stage": "fetch", "state": "done", "messages": ["a"]}])
    assert stages[0] == {"stage": "fetch", "state": "done", "messages": ["a"]}
    with pytest.raises(tk.Invalid):
        report.merge_stages([], [{"stage": "lunch"}])
    for wrong in ("t", [{"table": "t", "row_count": "many"}], [{"table": "t", "version": -1}]):
        with pytest.raises(tk.Invalid):
            report.merge_tables([], wrong)
