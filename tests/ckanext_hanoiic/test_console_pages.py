"""The officers' pages, by the forms a browser would send."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup
from ckan.tests import factories
from ckan.tests.helpers import call_action

HARVESTER = "hanoiic-harvester"
PASSWORD = "mat-khau-cua-can-bo-1"


@pytest.fixture
def console(stage, clean_db):
    factories.User(name=HARVESTER)
    factories.Group(name="transport", title="Giao thông vận tải")


@pytest.fixture
def officer(console):
    return factories.UserWithToken(password=PASSWORD)


@pytest.fixture
def department(officer):
    return factories.Organization(
        name="so-giao-thong",
        title="Sở Giao thông Vận tải",
        users=[{"name": officer["name"], "capacity": "editor"}],
    )


@pytest.fixture
def browse(stage, officer, department):
    """Open a page or send a form as the officer; redirects are followed."""

    def browse(path, form=None, status=200):
        headers = {"Authorization": officer["token"]}
        send = stage.get if form is None else stage.post
        return BeautifulSoup(send(path, headers=headers, data=form, status=status).body, "lxml")

    return browse


@pytest.fixture
def form(department):
    return {
        "title": "Điểm dừng xe buýt",
        "owner_org": department["id"],
        "url": "https://sogtvt.example.vn/du-lieu/diem-dung.xlsx",
        "kind": "",
        "name": "",
        "schedule_preset": "daily",
        "schedule": "",
        "dataset.groups": ["transport"],
        "dataset.title_en": "Bus stops",
        "dataset.license_id": call_action("license_list")[0]["id"],
        "dataset.access_tier": "open",
        "dataset.is_simulated": "true",
        "options": '{"header_row": 2}',
    }


def text(page):
    return " ".join(page.get_text(" ").split())


def report(**said):
    context = {"user": HARVESTER, "ignore_auth": False}
    return call_action("hanoiic_run_update", context, **said)


def test_empty_list_says_what_to_do(browse):
    page = browse("/hanoiic/sources")
    assert page.select_one(".hic-blank a")["href"].endswith("/hanoiic/previews/new")
    assert "Chưa có nguồn nào" in text(page)


def test_form_registers_a_source_and_its_run_is_reported(browse, form):
    page = browse("/hanoiic/sources/new", {**form, "harvest_now": "true"})
    assert "Đang chờ" in text(page)
    assert page.select_one("#hanoiic-run[data-open]")
    assert 'http-equiv="refresh"' in str(page.head.noscript)
    source = call_action("hanoiic_source_show", id="diem-dung-xe-buyt")
    assert source["kind"] == "excel"
    assert source["schedule"] == "0 19 * * *"
    assert source["options"] == {"header_row": 2}
    assert source["dataset"] == {
        "table": "so_giao_thong_diem_dung_xe_buyt",
        "title": "Điểm dừng xe buýt",
        "title_en": "Bus stops",
        "license_id": form["dataset.license_id"],
        "access_tier": "open",
        "update_frequency": "DAILY",
        "groups": [{"name": "transport"}],
        "is_simulated": "true",
    }

    run = source["last_run"]["id"]
    report(id=run, state="running")
    fetched = {"stage": "fetch", "state": "done", "duration_s": 65, "counts": {"bytes": 12_345}}
    table = {
        "table": "so_giao_thong_diem_dung_xe_buyt",
        "dataset": "diem-dung-xe-buyt",
        "version": 3,
        "changed": True,
        "row_count": 4567,
        "rejected_count": 101,
    }
    rejected = {
        "table": "so_giao_thong_diem_dung_xe_buyt",
        "row": 17,
        "column": "Vĩ độ",
        "value": "<b>hai mươi mốt</b>",
        "reason_code": "not_a_number",
        "reason": "Không phải là số",
    }
    report(id=run, state="published", stages=[fetched], tables=[table], rejected=[rejected])
    page = browse(f"/hanoiic/runs/{run}")
    shown = text(page)
    for expected in ("Đã công bố", "12.345 byte", "1:05", "4.567", "Vĩ độ", "Không phải là số"):
        assert expected in shown
    assert page.select_one("td.value").get_text() == "<b>hai mươi mốt</b>"
    assert page.select_one('a[href$="/dataset/diem-dung-xe-buyt"]')
    assert "1 dòng đầu trong số 101" in shown
    assert not page.select("#hanoiic-run[data-open]")
    assert "4.567" in text(browse("/hanoiic/sources"))
    assert page.html["lang"] == "vi"
    english = text(browse(f"/en/hanoiic/runs/{run}"))
    assert "Published" in english
    assert "12,345 bytes" in english


def test_a_dataset_is_called_by_its_title_however_the_report_knows_it(browse, form):
    browse("/hanoiic/sources/new", {**form, "harvest_now": "true"})
    kept = factories.Dataset(title="Điểm dừng của xe buýt", owner_org=form["owner_org"])
    run = call_action("hanoiic_source_show", id="diem-dung-xe-buyt")["last_run"]["id"]
    tables = [
        {"table": f"t{place}", "dataset": kept[key]} for place, key in enumerate(("id", "name"))
    ]
    report(id=run, state="published", tables=tables)
    for path in (f"/hanoiic/runs/{run}", "/hanoiic/sources/diem-dung-xe-buyt"):
        links = browse(path).select('a[href*="/dataset/"]')
        named = [
            link.get_text() for link in links if link["href"].endswith((kept["id"], kept["name"]))
        ]
        assert named == [kept["title"]] * 2


def test_failed_run_says_what_to_do(browse, form):
    browse("/hanoiic/sources/new", {**form, "harvest_now": "true"})
    run = call_action("hanoiic_source_show", id="diem-dung-xe-buyt")["last_run"]["id"]
    report(id=run, state="running")
    error = {"code": "html_instead_of_data", "detail": "The answer is HTML."}
    report(id=run, state="refused", error=error)
    shown = text(browse(f"/hanoiic/runs/{run}"))
    assert error["detail"] in shown
    assert "sao chép địa chỉ từ liên kết tải về" in shown
    assert "Địa chỉ trả về một trang web chứ không phải dữ liệu" in shown


def test_errors_stand_beside_their_fields_and_what_was_typed_stays(browse, form):
    wrong = {
        **form,
        "url": "https://an:bi-mat@sogtvt.example.vn/a.csv",
        "dataset.table": "Điểm dừng",
        "schedule_preset": "custom",
        "schedule": "61 * * * *",
        "options": '{"encodign": "utf-8"}',
    }
    page = browse("/hanoiic/sources/new", wrong, status=422)
    for name in ("url", "dataset.table", "schedule", "options"):
        assert page.find(id=f"error-{name}").get_text(strip=True), name
    assert "encoding" in page.find(id="error-options").get_text()
    assert page.find("input", {"name": "title"})["value"] == form["title"]
    assert page.find("textarea", {"name": "options"}).get_text().strip() == wrong["options"]
    assert page.find("input", {"value": "transport"}).has_attr("checked")
    assert call_action("hanoiic_source_list") == []


def test_open_data_is_registered_with_a_licence(browse, form):
    bare = {**form, "dataset.license_id": ""}
    page = browse("/hanoiic/sources/new", bare, status=422)
    assert "Dữ liệu mở cần có giấy phép" in page.find(id="error-dataset.license_id").get_text()
    assert call_action("hanoiic_source_list") == []
    browse("/hanoiic/sources/new", {**bare, "dataset.access_tier": "request"})
    assert len(call_action("hanoiic_source_list")) == 1


def test_an_address_of_no_known_scheme_is_told_which_there_are(browse, form):
    page = browse("/hanoiic/sources/new", {**form, "url": "ftp://so.example.vn/a.csv"}, status=422)
    told = page.find(id="error-url").get_text()
    assert all(f"{scheme}://" in told for scheme in ("https", "http", "sftp", "postgresql"))


def test_editing_keeps_what_the_form_does_not_show(browse, form):
    browse("/hanoiic/sources/new", form)
    source = call_action("hanoiic_source_show", id="diem-dung-xe-buyt")
    dataset = {**source["dataset"], "spatial_wards": ["00070"]}
    call_action("hanoiic_source_update", id=source["id"], dataset=dataset)
    page = browse("/hanoiic/sources/diem-dung-xe-buyt/edit")
    assert page.find("input", {"name": "dataset.title_en"})["value"] == "Bus stops"
    assert json.loads(page.find("textarea", {"name": "options"}).get_text()) == {"header_row": 2}
    changed = {**form, "name": "bus-stops", "schedule_preset": "none", "paused": "true"}
    shown = text(browse("/hanoiic/sources/diem-dung-xe-buyt/edit", changed))
    assert "Tạm dừng" in shown
    after = call_action("hanoiic_source_show", id="bus-stops")
    assert after["dataset"]["spatial_wards"] == ["00070"]
    assert (after["id"], after["schedule"], after["state"]) == (source["id"], "", "paused")


def test_a_form_opened_before_another_change_saves_nothing(browse, form):
    browse("/hanoiic/sources/new", form)
    opened = browse("/hanoiic/sources/diem-dung-xe-buyt/edit")
    seen = opened.find("input", {"name": "revision"})["value"]
    pins = {"columns": {"CCCD": {"mask": "drop"}}}
    call_action("hanoiic_source_update", id="diem-dung-xe-buyt", options=pins)
    stale = {**form, "name": "diem-dung-xe-buyt", "revision": seen}
    shown = browse("/hanoiic/sources/diem-dung-xe-buyt/edit", stale, status=422)
    assert "vừa được sửa" in text(shown)
    assert call_action("hanoiic_source_show", id="diem-dung-xe-buyt")["options"] == pins


def test_what_was_changed_takes_effect_with_a_harvest_at_once(browse, form):
    browse("/hanoiic/sources/new", form)
    opened = browse("/hanoiic/sources/diem-dung-xe-buyt/edit")
    assert opened.find("input", {"name": "harvest_now"}).has_attr("checked")
    changed = {**form, "dataset.access_tier": "request", "harvest_now": "true"}
    run = browse("/hanoiic/sources/diem-dung-xe-buyt/edit", changed).select_one("dl.facts code")
    last = call_action("hanoiic_source_show", id="diem-dung-xe-buyt")["last_run"]
    assert (last["id"], last["state"]) == (run.get_text(), "requested")
    again = browse("/hanoiic/sources/diem-dung-xe-buyt/edit", changed)
    assert "bắt đầu từ trước khi sửa" in text(again)


def test_deleted_source_leaves_its_reports(browse, form):
    browse("/hanoiic/sources/new", {**form, "harvest_now": "true"})
    source = call_action("hanoiic_source_show", id="diem-dung-xe-buyt")
    assert "xóa" in text(browse("/hanoiic/sources/diem-dung-xe-buyt/delete")).lower()
    browse("/hanoiic/sources/diem-dung-xe-buyt/delete", {})
    assert "Chưa có nguồn nào" in text(browse("/hanoiic/sources"))
    assert "source_deleted" in text(browse(f"/hanoiic/runs/{source['last_run']['id']}"))
    browse("/hanoiic/sources/diem-dung-xe-buyt", status=404)


def test_run_now_shows_the_run_that_is_on(browse, form):
    browse("/hanoiic/sources/new", form)
    first = browse("/hanoiic/sources/diem-dung-xe-buyt/run", {})
    second = browse("/hanoiic/sources/diem-dung-xe-buyt/run", {})
    number = first.select_one("dl.facts code").get_text()
    assert second.select_one("dl.facts code").get_text() == number


def test_stranger_is_sent_to_the_login_and_a_startup_is_told_why(stage, department):
    answer = stage.get("/hanoiic/sources", follow_redirects=False, status=302)
    assert "/user/login" in answer.headers["Location"]
    startup = factories.UserWithToken()
    answer = stage.get("/hanoiic/sources", headers={"Authorization": startup["token"]}, status=403)
    assert "Dành cho cán bộ" in answer.body


@pytest.mark.ckan_config("WTF_CSRF_ENABLED", True)
def test_forms_carry_a_token_and_without_it_nothing_changes(make_app, officer, department, form):
    stage = make_app()

    def token(path):
        page = BeautifulSoup(stage.get(path).body, "lxml")
        return page.select_one("main, #content").select_one("input[name=_csrf_token]")["value"]

    entry = {"login": officer["name"], "password": PASSWORD, "_csrf_token": token("/user/login")}
    stage.post("/user/login", data=entry)
    stage.post("/hanoiic/sources/new", data=form, status=400)
    assert call_action("hanoiic_source_list") == []
    own = token("/hanoiic/sources/new")
    stage.post("/hanoiic/sources/new", data={**form, "_csrf_token": own}, status=200)
    assert [source["title"] for source in call_action("hanoiic_source_list")] == [form["title"]]


def test_the_workers_words_are_said_in_the_readers_language(browse, form):
    browse("/hanoiic/sources/new", {**form, "harvest_now": "true"})
    run = call_action("hanoiic_source_show", id="diem-dung-xe-buyt")["last_run"]["id"]
    report(id=run, state="running")
    detail = "7 of 9 rows were rejected; 5% are allowed. Nothing was published."
    stages = [
        {
            "stage": "decode",
            "state": "done",
            "messages": ["stops: encoding utf-8, delimiter ;, header row 2", "Something new."],
        },
        {"stage": "validate", "state": "failed", "messages": [detail]},
        {"stage": "publish", "state": "pending"},
    ]
    wrong = {"table": "stops", "row": 3, "column": "lat", "value": "x"}
    rejected = [
        {**wrong, "reason_code": "type_mismatch", "reason": "is no float64"},
        {**wrong, "reason_code": "below_minimum", "reason": "is below 8"},
    ]
    error = {"code": "too_many_rejected", "detail": detail}
    report(id=run, state="refused", stages=stages, rejected=rejected, error=error)
    page = browse(f"/hanoiic/runs/{run}")
    shown = text(page)
    for words in (
        "7 trong số 9 dòng bị loại",
        "stops: bảng mã utf-8, dấu phân cách “;”, tiêu đề: dòng 2",
        "không phải số",
        "nhỏ hơn 8",
    ):
        assert words in shown
    assert shown.count("7 trong số 9 dòng bị loại") == 1
    assert page.find(lang="en", string="Something new.")
    assert "Chưa đến" not in shown
    again = page.find("form", action=lambda path: path and path.endswith("/run"))
    assert again.find("button").get_text(strip=True) == "Chạy lại"
    english = text(browse(f"/en/hanoiic/runs/{run}"))
    assert "7 of 9 rows were rejected; 5% are allowed." in english
    assert "is not a number" in english


def test_a_catalogues_report_shows_the_stages_of_each_dataset(browse, form):
    browse("/hanoiic/sources/new", {**form, "harvest_now": "true"})
    run = call_action("hanoiic_source_show", id="diem-dung-xe-buyt")["last_run"]["id"]
    stages = {
        "fetch": {"duration_s": 1.25, "counts": {"files": 2, "bytes": 1204}},
        "validate": {"duration_s": 0.5, "counts": {"rejected": 3}},
    }
    datasets = [{"identifier": f"d{n}", "state": "published", "stages": stages} for n in range(120)]
    error = {"code": "too_many_rejected", "detail": "7 of 9 rows were rejected"}
    datasets.append({"identifier": "hỏng", "state": "refused", "stages": stages, "error": error})
    counted = {"datasets_refused": 1, "datasets_published": 120, "datasets_unchanged": 4879}
    register = {"stage": "register", "state": "done", "counts": counted}
    report(id=run, state="published", datasets=datasets, stages=[register])
    page = browse(f"/hanoiic/runs/{run}")
    rows = page.select("tr:has(.hanoiic-own-stages)")
    # What needs the officer comes first; the page says that there are more.
    assert "hỏng" in rows[0].get_text()
    assert len(rows) == 100
    own = " ".join(rows[0].select_one("details dl").get_text(" ").split())
    assert "Tải tệp về 1,2 s · 1.204 byte · 2 tệp" in own
    assert "3 dòng bị loại" in own
    assert "121 trong số 5.000" in text(page)
    last = browse(f"/hanoiic/runs/{run}?datasets=2")
    assert len(last.select("tr:has(.hanoiic-own-stages)")) == 21
    assert last.select_one('nav.hanoiic-pager a[href="?datasets=1#datasets"]')


def test_sources_that_went_wrong_come_first_then_the_alphabet(browse, form):
    for title in ("Quận", "Điểm sạc", "Danh mục"):
        browse("/hanoiic/sources/new", {**form, "title": title})
    run = call_action("hanoiic_source_run", id="quan")["id"]
    report(id=run, state="failed", error={"code": "source_unreachable", "detail": "x"})
    titles = [link.get_text() for link in browse("/hanoiic/sources").select("td strong")]
    assert titles == ["Quận", "Danh mục", "Điểm sạc"]


def test_officers_have_a_bar_of_tasks_and_others_have_none(stage, browse, officer):
    bar = browse("/").select_one("nav.hic-desk")
    paths = [link["href"] for link in bar.find_all("a")]
    pages = ("sources", "held", "quality", "inbox", "previews/new")
    assert paths == [f"/hanoiic/{page}" for page in pages]
    assert bar.find(attrs={"aria-current": "page"}) is None
    here = browse("/hanoiic/sources").select_one("nav.hic-desk [aria-current=page]")
    assert here["href"] == "/hanoiic/sources"
    startup = factories.UserWithToken()
    factories.Organization(
        org_kind="company", users=[{"name": startup["name"], "capacity": "admin"}]
    )
    for headers in ({}, {"Authorization": startup["token"]}):
        assert "hic-desk" not in stage.get("/", headers=headers).body
    stage.get("/hanoiic/sources", headers={"Authorization": startup["token"]}, status=403)
