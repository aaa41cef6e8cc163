"""What a dataset, a resource, a department and a topic keep, and what they refuse."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from ckan.plugins import toolkit as tk
from ckan.tests import factories, helpers
from portal_scene import empty
from werkzeug.datastructures import FileStorage

pytest_plugins = ("portal_scene",)


@pytest.fixture(autouse=True)
def nothing_there(site):
    empty()


COLUMNS = [
    {"name": "Mã điểm", "ascii": "ma_diem", "type": "string", "title": "Mã điểm dừng"},
    {"name": "kinh_do", "type": "float64", "unit": "độ", "description": "Kinh độ WGS84"},
]
QUALITY = {"completeness": 0.98, "validity": 1, "rejected_rows": 3}

DATASET = {
    "title_en": "Bus stops",
    "notes_en": "Every stop of the city's buses.",
    "update_frequency": "MONTHLY",
    "temporal_start": "2025-01-01",
    "temporal_end": "2025-12-31",
    "contact_name": "Phòng Vận tải",
    "contact_email": "vantai@example.org",
    "license_id": "cc-by",
    "access_tier": "open",
    "data_quality": "Đã đối chiếu thực địa",
    "is_simulated": "true",
    "harvest_source": "transport-gtfs",
    "harvest_identifier": "stops",
}
RESOURCE = {
    "name": "Điểm dừng",
    "url": "http://gateway.test:8000/v1/tables/transport_stops/download.csv",
    "format": "CSV",
    "lake_table": "transport_stops",
    "lake_version": 0,
    "lake_version_at": "2026-01-02T03:04:05.678901Z",
    "row_count": 4412,
    "byte_count": 90210,
    "harvest_link": "true",
    "harvest_state": "missing",
}


def create(**fields):
    organization = factories.Organization()
    return helpers.call_action(
        "package_create",
        name=factories.Dataset.stub().name,
        title="Điểm dừng",
        owner_org=organization["id"],
        **fields,
    )


@pytest.mark.parametrize("encode", [json.dumps, lambda value: value], ids=["text", "parsed"])
def test_every_field_comes_back_as_it_was_given(encode):
    resource = {**RESOURCE, "columns": encode(COLUMNS), "quality": encode(QUALITY)}
    made = create(**DATASET, spatial_wards=encode(["00004", "00097"]), resources=[resource])

    for shown in (
        helpers.call_action("package_show", id=made["id"]),
        helpers.call_action("package_search", fq=f"name:{made['name']}")["results"][0],
    ):
        assert {name: shown[name] for name in DATASET} == DATASET
        assert shown["spatial_wards"] == ["00004", "00097"]
        kept = shown["resources"][0]
        assert {name: kept[name] for name in RESOURCE} == RESOURCE
        assert kept["columns"] == COLUMNS
        assert kept["quality"] == QUALITY


def test_a_dataset_written_back_as_shown_stays_the_same():
    resource = {**RESOURCE, "columns": COLUMNS, "quality": QUALITY}
    made = create(**DATASET, spatial_wards=["00004"], resources=[resource])
    again = helpers.call_action("package_update", **made)
    for name in ("metadata_modified", "organization"):
        made.pop(name), again.pop(name)
    made["resources"][0].pop("metadata_modified"), again["resources"][0].pop("metadata_modified")
    assert again == made


def test_access_not_stated_is_by_request():
    made = create()
    assert (made["access_tier"], made["update_frequency"], made["is_simulated"]) == (
        "request",
        "UNKNOWN",
        "false",
    )


WRONG_IN_A_DATASET = (
    ("access_tier", "free"),
    ("update_frequency", "SOMETIMES"),
    ("temporal_start", "tomorrow"),
    ("temporal_end", "2024-12-31"),
    ("spatial_wards", ["4"]),
    ("spatial_wards", '{"a": 1}'),
    ("spatial_wards", "[00004"),
    ("contact_email", "not an address"),
    ("is_simulated", "perhaps"),
)
WRONG_IN_A_RESOURCE = (
    ("lake_table", "../etc"),
    ("lake_table", "Bus"),
    ("lake_version", -1),
    ("lake_version_at", "yesterday"),
    ("row_count", "many"),
    ("columns", {"name": "a"}),
    ("columns", [{"name": "a"}]),
    ("columns", "[{"),
    ("quality", {"completeness": 1.2}),
    ("quality", {"rejected_rows": -1}),
    ("quality", [1]),
)


def refused(**fields):
    with pytest.raises(tk.ValidationError) as error:
        create(**fields)
    return error.value.error_dict


def test_wrong_values_of_a_dataset_are_refused():
    for field, value in WRONG_IN_A_DATASET:
        errors = refused(**{"temporal_start": "2025-01-01", field: value})
        assert set(errors) == {field}, value


def test_wrong_values_of_a_resource_are_refused():
    for field, value in WRONG_IN_A_RESOURCE:
        (errors,) = refused(resources=[{**RESOURCE, field: value}])["resources"]
        assert set(errors) == {field}, value


def test_a_time_with_a_zone_is_kept_in_utc():
    made = create(resources=[{**RESOURCE, "lake_version_at": "2026-01-02T10:00:00+07:00"}])
    assert made["resources"][0]["lake_version_at"] == "2026-01-02T03:00:00Z"


def test_ward_codes_may_be_typed_with_commas():
    assert create(spatial_wards="00004, 00097 00004")["spatial_wards"] == ["00004", "00097"]


def test_a_company_publishes_nothing():
    company = factories.Organization(org_kind="company", title_en="Startup")
    assert (company["org_kind"], company["title_en"]) == ("company", "Startup")
    with pytest.raises(tk.ValidationError) as refused:
        helpers.call_action("package_create", name="x1", title="X", owner_org=company["id"])
    assert "owner_org" in refused.value.error_dict


def test_a_company_cannot_make_itself_a_department():
    admin = factories.User()
    company = factories.Organization(
        org_kind="company", users=[{"name": admin["name"], "capacity": "admin"}]
    )
    context = {"user": admin["name"], "ignore_auth": False}
    with pytest.raises(tk.ValidationError) as refused:
        helpers.call_action(
            "organization_patch", context=context, id=company["id"], org_kind="department"
        )
    assert "org_kind" in refused.value.error_dict
    helpers.call_action("organization_patch", context=context, id=company["id"], title="Tên mới")
    renamed = helpers.call_action("organization_show", id=company["id"])
    assert (renamed["title"], renamed["org_kind"]) == ("Tên mới", "company")


def test_a_topic_has_two_names():
    topic = factories.Group(name="transport", title="Giao thông", title_en="Transport")
    assert helpers.call_action("group_show", id=topic["id"])["title_en"] == "Transport"


def test_a_table_is_addressed_where_the_gateway_is_today():
    dataset = create(resources=[RESOURCE])
    with helpers.changed_config("hanoiic.gateway_url", "https://api.example.vn/"):
        shown = helpers.call_action("package_show", id=dataset["id"])["resources"]
        [found] = helpers.call_action("package_search", q=f"id:{dataset['id']}")["results"]
    moved = "https://api.example.vn/v1/tables/transport_stops/download.csv"
    assert [resource["url"] for resource in (*shown, *found["resources"])] == [moved, moved]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript://example.org/%0aalert(1)",
        "data:text/html,x",
        "ftp://example.org/x.csv",
        "https://",
        "//example.org/x.csv",
        "uploaded-file.html",
        'https://example.org/"><script>alert(1)</script>',
        "https://example.org/a b",
    ],
)
def test_a_resource_leads_to_a_web_address_only(url):
    with pytest.raises(tk.ValidationError) as refused:
        create(resources=[{"name": "x", "url": url}])
    assert list(refused.value.error_dict["resources"][0]) == ["url"]


def test_no_file_is_uploaded_past_the_licence():
    dataset = create(access_tier="request")
    upload = FileStorage(BytesIO(b"a,b\n1,2\n"), filename="rows.csv")
    with pytest.raises(tk.ValidationError) as refused:
        helpers.call_action("resource_create", package_id=dataset["id"], upload=upload)
    assert "url" in refused.value.error_dict
    assert helpers.call_action("package_show", id=dataset["id"])["resources"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"row_count": 2**63},
        {"byte_count": str(10**30)},
        {"lake_version": 10**30},
        {"lake_version_at": "0001-01-01T00:00:00+07:00"},
        {"quality": {"rejected_rows": 10**30}},
    ],
)
def test_a_figure_that_no_page_could_show_is_refused(wrong):
    with pytest.raises(tk.ValidationError) as refused:
        create(resources=[{**RESOURCE, **wrong}])
    assert refused.value.error_dict["resources"][0].keys() == wrong.keys()


def test_the_largest_figures_and_the_last_day_are_shown(site):
    extreme = {"row_count": 2**63 - 1, "lake_version_at": "9999-12-31T23:59:59Z"}
    resources = [{**RESOURCE, **extreme}, {"name": "Tệp", "url": "http://x.test", **extreme}]
    name = create(resources=resources)["name"]
    assert "18.446.744.073.709.551.614" in site.get("/dataset/").body
    for path in ("/", f"/dataset/{name}"):
        site.get(path, status=200)
