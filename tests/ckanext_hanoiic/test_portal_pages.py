"""The portal's pages: whole, in two languages, for everybody who comes."""

from __future__ import annotations

import pytest
from ckan.tests import factories, helpers
from portal_scene import page, words

pytest_plugins = ("portal_scene",)

PAGES = (
    "/",
    "/dataset/",
    "/dataset/diem-dung",
    "/dataset/khong-khi",
    "/organization/",
    "/organization/so-xay-dung",
    "/group/",
    "/group/transport",
    "/api-guide",
    "/about",
)


@pytest.mark.parametrize("prefix", ["", "/en"])
def test_every_page_opens_for_everybody(site, scene, prefix):
    for path in PAGES:
        for user in (None, scene.officer):
            soup = page(site, prefix + path, user)
            assert soup.html["lang"] == ("en" if prefix else "vi")
            assert soup.h1, path


def test_the_portal_speaks_vietnamese_and_english_a_click_away(site, scene):
    home = page(site, "/")
    assert "Cổng dữ liệu mở" in words(home.header)
    assert home.header.select_one("a.hic-language")["href"] == "/en/"

    search = page(site, "/dataset/?q=buýt&groups=transport")
    assert "Điểm dừng xe buýt" in words(search)
    other = search.header.select_one("a.hic-language")["href"]
    english = page(site, other)
    assert other.startswith("/en/dataset/?q=")
    assert "Bus stops" in words(english)
    assert english.header.select_one("a.hic-language")["href"].startswith("/dataset/?q=")


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("SO XAY", 1),
        ("xây  dựng", 1),
        ("xa\u0302y d\u01b0\u0323ng", 1),
        ("construct", 1),
        ("y tế", 0),
    ],
)
def test_departments_are_found_with_and_without_diacritics(site, scene, typed, number):
    assert len(page(site, f"/organization/?q={typed}").select(".hic-card")) == number


def test_every_page_has_one_heading_of_the_first_rank(site, scene):
    officer = scene.officer["name"]
    for path in (
        *PAGES,
        "/organization/about/so-xay-dung",
        "/group/about/transport",
        "/organization/members/so-xay-dung",
        f"/user/{officer}",
        f"/user/edit/{officer}",
        "/dashboard/datasets",
        "/dataset/new",
        "/dataset/edit/diem-dung",
    ):
        assert len(page(site, path, scene.officer).select("h1")) == 1, path


def test_strangers_see_no_link_that_would_refuse_them(site, scene):
    def links(path, user):
        return {link.get("href") for link in page(site, path, user).select("a")}

    members = "/organization/members/so-xay-dung"
    assert members in links("/organization/so-xay-dung", scene.officer)
    assert members not in links("/organization/so-xay-dung", None)
    assert "/user/" not in links(f"/user/{scene.officer['name']}", scene.officer)


def test_the_pager_says_where_its_arrows_lead(site, scene, ckan_config):
    ckan_config["ckan.datasets_per_page"] = 1
    arrow = page(site, "/dataset/").select_one(".pagination li:last-child i")
    assert arrow["aria-label"] == "Trang sau"


def test_what_is_made_for_one_reader_is_kept_by_no_cache(site, scene):
    def kept(**headers):
        return site.get("/api/3/action/package_search", headers=headers).headers["Cache-Control"]

    assert "public" in kept()
    assert kept(Authorization=scene.officer["token"]) == "private, no-store"


def test_the_home_page_leads_to_topics_and_departments(site, scene):
    home = page(site, "/")
    assert home.select_one('.hic-topics a[href="/dataset/?groups=transport"]').small.text == (
        "2 bộ dữ liệu"
    )
    assert "Sở Xây dựng 2" in words(home.select_one(".hic-departments"))
    assert "Department of Construction" in words(page(site, "/en/"))


def test_facets_and_filters_are_in_words(site, scene):
    search = page(site, "/dataset/?access_tier=open")
    aside = words(search.select_one("#search-facets"))
    for expected in ("Sở ngành Sở Xây dựng", "Giao thông vận tải", "Hằng tháng", "Định dạng CSV"):
        assert expected in aside
    assert "Mở, dùng ngay" in words(search.select_one(".hic-filters"))
    assert [link.text for link in search.select(".hic-card-title a")] == ["Điểm dừng xe buýt"]


def test_a_card_tells_who_when_how_much_and_under_which_terms(site, scene):
    card = words(page(site, "/dataset/?q=Điểm").select_one(".hic-card"))
    for expected in ("Sở Xây dựng", "Mở cho mọi người", "4.412 dòng", "Cập nhật", "CC BY 4.0"):
        assert expected in card


def test_an_empty_answer_helps_on(site, scene):
    empty = page(site, "/dataset/?q=zzzzzz&groups=transport").select_one(".hic-empty")
    assert empty.select_one('a[href="/dataset/?q=zzzzzz"]')
    assert empty.select_one('a[href="/dataset/?groups=transport"]')


def test_a_dataset_shows_its_columns_version_and_snippets(site, scene):
    soup = page(site, "/dataset/diem-dung")
    text = words(soup)
    for expected in (
        "phiên bản 2, 01/02/2026",
        "4.412 dòng",
        "Mã điểm dừng",
        "Kinh độ WGS84",
        "98,2 % số ô có dữ liệu",
        "01/01/2025 – 31/12/2025",
        "Phường Ba Đình",
    ):
        assert expected in text, expected
    codes = "\n".join(code.text for code in soup.select(".hic-code code"))
    assert "http://gateway.test:8000/v1/sql" in codes
    assert "SELECT * FROM transport_stops" in codes
    assert "HANOIIC_TOKEN" not in codes
    assert len(soup.select(".hic-code [data-hic-copy]")) == 5
    assert soup.select_one("#access")


def test_a_closed_dataset_asks_for_a_token_in_its_snippets(site, scene):
    soup = page(site, "/dataset/khong-khi")
    codes = [code.text for code in soup.select(".hic-code code")]
    assert len(codes) == 4
    assert all("HANOIIC_TOKEN" in code for code in codes)
    assert "Dữ liệu mô phỏng" in words(soup)


def test_the_other_language_is_there_too(site, scene):
    vietnamese, english = page(site, "/dataset/diem-dung"), page(site, "/en/dataset/diem-dung")
    assert vietnamese.h1.text.strip() == "Điểm dừng xe buýt"
    assert english.h1.text.strip() == "Bus stops"
    assert "Every stop of the city." in words(vietnamese.select_one(".hic-other-notes"))
    assert "Stop code" in words(english.select_one(".hic-columns"))


def test_errors_are_said_plainly(site, scene):
    missing = words(page(site, "/khong-co", status=404).select_one("#error-content"))
    assert "Không tìm thấy trang này" in missing
    assert "Mã yêu cầu" in missing
    refused = page(site, "/dataset/edit/diem-dung", scene.stranger, status=403)
    assert "Bạn không có quyền xem trang này" in words(refused)
    assert "There is no such page" in words(page(site, "/en/khong-co", status=404))


def test_the_home_page_counts_what_is_public(site, own_scene):
    own_scene.dataset("nhap", "draft_table", title="Nháp", private=True)
    figures = words(page(site, "/").select_one(".hic-figures"))
    assert figures == "2 bộ dữ liệu 2 bảng 8.824 dòng"
    assert "transport_stops" in page(site, "/").select_one(".hic-code code").text


def test_a_company_is_not_among_the_departments(site, own_scene):
    factories.Organization(name="cong-ty-a", title="Công ty A", org_kind="company")
    assert "Công ty A" not in words(page(site, "/organization/"))
    assert "Công ty A" not in words(page(site, "/"))


def test_html_in_a_description_stays_harmless(site, own_scene):
    helpers.call_action(
        "package_patch", id="diem-dung", notes="<script>alert(1)</script>**đậm**</script>"
    )
    soup = page(site, "/dataset/diem-dung")
    assert not [script for script in soup.select("script") if script.text == "alert(1)"]
    assert "<strong>đậm</strong>" in str(soup.select_one(".notes"))


def test_an_edited_form_keeps_what_the_harvester_wrote_meanwhile(site, own_scene):
    resource = own_scene.stops["resources"][0]
    path = f"/dataset/diem-dung/resource/{resource['id']}/edit"
    form = page(site, path, own_scene.officer).select_one("#resource-edit")
    fields = {
        field["name"]: field.get("value") or field.text
        for field in form.select("input[name], textarea[name]")
        if field.get("type") not in ("file", "radio")
    }
    newer = {"lake_version": resource["lake_version"] + 1, "row_count": 0}
    helpers.call_action("resource_patch", id=resource["id"], **newer)
    site.post(
        path,
        data={**fields, "name": "Tên mới", "save": "go-metadata"},
        headers={"Authorization": own_scene.officer["token"]},
        follow_redirects=False,
    )
    kept = helpers.call_action("resource_show", id=resource["id"])
    assert kept["name"] == "Tên mới"
    for name in ("lake_table", "columns", "quality"):
        assert kept[name] == resource[name]
    assert newer.items() <= kept.items()


def test_a_dataset_s_form_keeps_what_the_harvester_wrote_meanwhile(site, own_scene):
    path = "/dataset/edit/diem-dung"
    form = page(site, path, own_scene.officer).select_one("#dataset-edit")
    fields = {
        field["name"]: field.get("value") or field.text
        for field in form.select("input[name], textarea[name]")
    }
    helpers.call_action("package_patch", id="diem-dung", harvest_state="missing")
    site.post(
        path,
        data={
            **fields,
            "owner_org": own_scene.department["id"],
            "access_tier": "open",
            "title": "Tên mới",
            "save": "continue",
        },
        headers={"Authorization": own_scene.officer["token"]},
        follow_redirects=False,
    )
    kept = helpers.call_action("package_show", id="diem-dung")
    assert (kept["title"], kept["harvest_state"]) == ("Tên mới", "missing")
    assert kept["resources"][0]["lake_table"] == "transport_stops"


def test_a_page_behind_the_last_one_leads_back_to_the_first(site, scene):
    soup = page(site, "/dataset/?access_tier=open&page=99")
    blank = soup.select_one(".hic-empty")
    assert "Kết quả không có trang này" in words(blank)
    assert blank.select_one("a")["href"].endswith("/dataset/?access_tier=open")
    assert "Không có kết quả" not in words(soup)


def test_a_book_of_a_description_is_shown_from_its_beginning(site, own_scene):
    book = "# Chương\n\nMột đoạn **rất dài** về dữ liệu.\n\n" * 20_000
    fields = {"notes": book, "notes_en": "An introduction"}
    helpers.call_action("package_patch", id="diem-dung", **fields)

    soup = page(site, "/dataset/diem-dung")

    assert 10_000 < len(soup.select_one(".notes").text) < 20_000
    assert "Toàn bộ mô tả" in words(soup)
    assert len(str(soup)) < 500_000
    english = page(site, "/en/dataset/diem-dung")
    assert "The whole description" in words(english.select_one(".hic-other-notes"))
    whole = helpers.call_action("package_show", id="diem-dung")["notes"]
    assert whole.strip() == book.strip()
