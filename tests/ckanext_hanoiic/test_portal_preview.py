"""The first rows on a dataset's page: from a gateway that answers, refuses, hangs or is gone."""

from __future__ import annotations

import json
import time
from threading import Event

import pytest
from ckan.lib.redis import connect_to_redis
from ckan.plugins import toolkit as tk
from ckan.tests import helpers
from ckanext.hanoiic.portal import wording
from portal_scene import page, words
from werkzeug import Response

pytest_plugins = ("portal_scene",)

ROWS = [
    {"ma_diem": "HN01", "kinh_do": 105.85, "hinh": "AQEAAAA="},
    {"ma_diem": "<b>Bờ Hồ</b>", "kinh_do": None, "hinh": None},
]
TABLE = {
    "versions": [
        {"version": 2, "published_at": "2026-01-31T20:00:00Z", "row_count": 4412},
        {"version": 1, "published_at": "2025-12-31T20:00:00Z", "row_count": 4400},
    ]
}
NOT_NOW = "Hiện chưa hiển thị được những dòng đầu tiên"


@pytest.fixture(autouse=True)
def nothing_kept(site):
    """No rows kept by the test before."""
    connect_to_redis().flushdb()


@pytest.fixture
def gateway(httpserver, monkeypatch):
    monkeypatch.setitem(tk.config, "hanoiic.gateway_internal_url", httpserver.url_for(""))
    return httpserver


def answers(gateway, table):
    ndjson = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    gateway.expect_request("/v1/sql").respond_with_data(ndjson)
    gateway.expect_request(f"/v1/tables/{table}").respond_with_json(TABLE)


def rows(soup):
    return [
        [" ".join(cell.text.split()) for cell in row.select("th, td")]
        for row in soup.select(".hic-resource .hic-table:not(.hic-columns) tr")
    ]


def test_an_open_table_shows_its_first_rows_to_anybody(site, scene, gateway):
    answers(gateway, "transport_stops")
    soup = page(site, "/dataset/diem-dung")
    assert rows(soup) == [["ma_diem", "kinh_do"], ["HN01", "105,85"], ["<b>Bờ Hồ</b>", "–"]]
    assert "phiên bản 1, 01/01/2026 03:00, 4.400 dòng" in words(soup.select_one(".hic-versions"))
    asked = [request for request, _ in gateway.log]
    assert [request.path for request in asked] == ["/v1/sql", "/v1/tables/transport_stops"]
    assert asked[0].args["q"] == 'SELECT * FROM "transport_stops" LIMIT 10'
    assert "Authorization" not in asked[0].headers


def test_the_request_id_goes_on_to_the_gateway(site, scene, gateway):
    answers(gateway, "transport_stops")
    site.get("/dataset/diem-dung", headers={"X-Request-Id": "from-the-proxy-1"})
    assert {r.headers["X-Request-Id"] for r, _ in gateway.log} == {"from-the-proxy-1"}


def test_a_closed_table_is_not_asked_for_a_visitor(site, scene, gateway):
    soup = page(site, "/dataset/khong-khi")
    assert "Hãy đăng nhập để được cấp quyền" in words(soup)
    assert gateway.log == []


def test_a_closed_table_is_asked_with_the_readers_own_token_every_time(site, scene, gateway):
    answers(gateway, "environment_air")
    for _ in range(2):
        assert len(rows(page(site, "/dataset/khong-khi", scene.officer))) == 3
    assert len(gateway.log) == 4
    for request, _ in gateway.log:
        assert request.headers["Authorization"].startswith("Bearer hic_p_")


def test_a_refusal_shows_the_way_to_access(site, scene, gateway):
    for status in (401, 403, 404):
        gateway.clear()
        gateway.expect_request("/v1/sql").respond_with_json({"code": "no"}, status=status)
        gateway.expect_request("/v1/tables/environment_air").respond_with_json(TABLE)
        text = words(page(site, "/dataset/khong-khi", scene.stranger))
        assert "phiên bản 1, 01/01/2026 03:00" in text
        assert "Bạn sẽ xem được những dòng đầu tiên sau khi có quyền truy cập" in text, status


def test_a_wrong_answer_leaves_the_page_whole(site, scene, gateway):
    for body, status in (("", 500), ("not json", 200), ("x" * 600_000, 200), ("", 302)):
        gateway.clear()
        answer = Response(body, status=status, headers={"Location": "http://127.0.0.1:9/"})
        gateway.expect_request("/v1/sql").respond_with_response(answer)
        text = words(page(site, "/dataset/diem-dung"))
        assert NOT_NOW in text, status
        assert "Mã điểm dừng" in text


def test_a_gateway_that_is_gone_leaves_the_page_whole(site, scene):
    assert NOT_NOW in words(page(site, "/dataset/diem-dung"))


def test_a_hanging_gateway_holds_one_page_for_three_seconds_and_the_next_not_at_all(
    site, scene, gateway
):
    released = Event()

    def hang(_request):
        released.wait(20)
        return Response("")

    gateway.expect_request("/v1/sql").respond_with_handler(hang)
    try:
        started = time.monotonic()
        assert NOT_NOW in words(page(site, "/dataset/diem-dung"))
        first = time.monotonic() - started
        started = time.monotonic()
        assert NOT_NOW in words(page(site, "/dataset/diem-dung"))
        second = time.monotonic() - started
    finally:
        released.set()
    assert 2.5 < first < 8
    assert second < first - 2


def test_rows_of_an_open_table_are_asked_once_a_version(site, own_scene, gateway):
    answers(gateway, "transport_stops")
    for _ in range(3):
        assert len(rows(page(site, "/dataset/diem-dung"))) == 3
    assert len(gateway.log) == 2

    resource = {**own_scene.stops["resources"][0], "lake_version": 3}
    helpers.call_action("resource_update", **resource)
    page(site, "/dataset/diem-dung")
    assert len(gateway.log) == 4


def test_kept_rows_are_not_shown_once_the_dataset_is_closed(site, own_scene, gateway):
    answers(gateway, "transport_stops")
    assert len(rows(page(site, "/dataset/diem-dung"))) == 3
    helpers.call_action("package_patch", id="diem-dung", access_tier="click")
    soup = page(site, "/dataset/diem-dung")
    assert rows(soup) == []
    assert "HN01" not in str(soup)


@pytest.mark.parametrize(
    "change",
    [
        {"columns": ["ma_diem"]},
        {"masks": {"ma_diem": {"kind": "truncate", "length": 1}}},
        {"row_filter": [{"column": "ma_diem", "op": "eq", "value": "HN01"}]},
    ],
)
def test_rows_kept_under_one_offer_never_reach_the_readers_of_another(
    site, own_scene, gateway, change
):
    answers(gateway, "transport_stops")
    for _ in range(2):
        assert len(rows(page(site, "/dataset/diem-dung"))) == 3
    assert len(gateway.log) == 2
    officer = {"user": own_scene.officer["name"]}
    given = {"dataset": "diem-dung", "tier": "open", "licence": "CC-BY-4.0", **change}
    tk.get_action("hanoiic_offer_update")(officer, given)
    # What the gateway serves until the new edition is written is the old one: nothing is kept.
    for asked in (4, 6):
        page(site, "/dataset/diem-dung")
        assert len(gateway.log) == asked


def test_kept_rows_are_not_shown_once_their_offer_is_withdrawn(site, own_scene, gateway):
    answers(gateway, "transport_stops")
    assert len(rows(page(site, "/dataset/diem-dung"))) == 3
    tk.get_action("hanoiic_offer_withdraw")(
        {"user": own_scene.officer["name"]}, {"dataset": "diem-dung", "reason": "Test"}
    )
    gateway.clear()
    gateway.expect_request("/v1/sql").respond_with_data("", status=403)
    gateway.expect_request("/v1/tables/transport_stops").respond_with_json(TABLE)
    assert "HN01" not in str(page(site, "/dataset/diem-dung"))


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("vi", ["", "có", "không", "2026", "2,5", "-0,001", "1e+15", "Đống Đa"]),
        ("en", ["", "yes", "no", "2026", "2.5", "-0.001", "1e+15", "Đống Đa"]),
    ],
)
def test_cells_read_as_readers_write_them(site, language, shown):
    values = [None, True, False, 2026, 2.50, -0.001, 1e15, "Đống Đa"]
    environ = {"CKAN_LANG": language}
    with site.flask_app.test_request_context("/", environ_overrides=environ):
        assert [wording.cell(value) for value in values] == shown


def test_days_and_times_in_cells_are_in_hanoi_and_in_the_readers_order(site):
    said = [("2025-12-31T17:00:00Z", "timestamp"), ("2026-03-01", "date"), ("soon", "date")]
    with site.flask_app.test_request_context("/"):
        assert [wording.cell(*each) for each in said] == ["01/01/2026 00:00", "01/03/2026", "soon"]
    assert wording.cell("2026-03-01", "string") == "2026-03-01"


def test_a_moment_whose_day_in_hanoi_is_beyond_the_calendar_stays_as_it_is(site):
    with site.flask_app.test_request_context("/"):
        never = "9999-12-31T23:59:59Z"
        assert wording.cell(never, "timestamp") == never


@pytest.mark.parametrize(("language", "shown"), [("vi", "100,500"), ("en", "100.500")])
def test_a_decimal_has_the_sign_of_the_language_like_any_other_number(site, language, shown):
    with site.flask_app.test_request_context("/", environ_overrides={"CKAN_LANG": language}):
        assert wording.cell("100.500", "decimal(9,3)") == shown


def offer(scene, dataset, table, tier):
    officer = {"user": scene.officer["name"]}
    terms = {"table": table, "tier": tier, "licence": "CC-BY-4.0"}
    helpers.call_action("hanoiic_offer_update", officer, dataset=dataset["id"], **terms)


def test_a_table_with_an_offer_of_its_own_is_shown_by_that_one(site, own_scene, gateway):
    answers(gateway, "transport_stops")
    answers(gateway, "environment_air")
    offer(own_scene, own_scene.stops, "transport_stops", "click")
    offer(own_scene, own_scene.air, "environment_air", "open")

    soup = page(site, "/dataset/khong-khi")  # by click, but this table is open
    assert len(rows(soup)) == 3
    assert "HANOIIC_TOKEN" not in words(soup)
    assert soup.select_one(".hic-versions a")["href"].endswith("download.csv?as_of=2")

    soup = page(site, "/dataset/diem-dung")  # open, but this table is by click
    assert rows(soup) == []
    assert "Hãy đăng nhập để được cấp quyền" in words(soup)
    assert "HANOIIC_TOKEN" in words(soup)


def test_open_tables_are_shown_beside_closed_ones(site, own_scene, gateway):
    answers(gateway, "transport_stops")
    closed = {"url": "http://gateway.test:8000/", "lake_table": "transport_secret"}
    helpers.call_action("resource_create", package_id=own_scene.stops["id"], **closed)
    offer(own_scene, own_scene.stops, "transport_secret", "request")

    soup = page(site, "/dataset/diem-dung")

    tables = [
        panel.select(".hic-table:not(.hic-columns)") for panel in soup.select(".hic-resource")
    ]
    assert [len(found) for found in tables] == [1, 0]
    assert not [request for request, _ in gateway.log if "secret" in request.url]


def test_a_private_dataset_s_open_table_is_read_with_a_token(site, own_scene, gateway):
    answers(gateway, "transport_stops")
    helpers.call_action("package_patch", id="diem-dung", private=True)
    assert "HANOIIC_TOKEN" in words(page(site, "/dataset/diem-dung", own_scene.officer))
