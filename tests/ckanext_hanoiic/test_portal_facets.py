"""Facets and suggestions: in words, true today, and for each reader only what they may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ckan.tests import factories, helpers
from ckanext.hanoiic.portal import facets
from portal_scene import Scene, page, words

pytest_plugins = ("portal_scene",)

FACETS = ["organization", "access_tier", "freshness", "quality_band", "vocab_wards", "vocab_years"]


class City(Scene):
    """The scene with a secret dataset, and with tables of known age and quality."""

    def __init__(self) -> None:
        super().__init__()
        helpers.call_action("package_patch", id="diem-dung", update_frequency="IRREG")
        now = datetime.now(UTC)
        self.fresh = self.table("moi", now - timedelta(hours=2), "DAILY", quality(0.99))
        self.stale = self.table("cu", now - timedelta(days=3), "DAILY", quality(0.85))
        self.loose = self.table(
            "tuy", now - timedelta(days=900), "IRREG", quality(0.2), "registered"
        )
        self.secret = self.dataset(
            "mat", "secret_table", title="Điểm dừng mật", private=True, spatial_wards=["00235"]
        )

    def table(
        self,
        name: str,
        updated: datetime,
        frequency: str,
        measured: dict[str, Any],
        tier: str = "open",
    ) -> dict[str, Any]:
        return helpers.call_action(
            "package_create",
            name=name,
            title=f"Đường phố {name}",
            owner_org=self.department["id"],
            access_tier=tier,
            license_id="CC-BY-4.0",
            update_frequency=frequency,
            temporal_start="2023-02-01",
            temporal_end="2024-03-01",
            spatial_wards=["00166"],
            resources=[
                {
                    "name": "Bảng",
                    "url": "http://gateway.test:8000/x.csv",
                    "lake_table": f"table_{name}",
                    "lake_version": 1,
                    "lake_version_at": updated.isoformat(),
                    "quality": measured,
                }
            ],
        )


def quality(completeness: float) -> dict[str, Any]:
    return {"completeness": completeness, "validity": 1}


@pytest.fixture(scope="module")
def city(site) -> City:
    return City()


def counts(site: Any, user: dict[str, Any] | None = None, **query: Any) -> dict[str, Any]:
    """Facet → value → count, as one reader of the API gets them."""
    answer = site.post(
        "/api/3/action/package_search",
        json={"facet.field": FACETS, "rows": 0, "include_private": True, **query},
        headers={"Authorization": user["token"]} if user else {},
    ).json["result"]
    return {
        field: {item["name"]: item["count"] for item in facet["items"]}
        for field, facet in answer["search_facets"].items()
    }


def found(site: Any, fq: str) -> set[str]:
    answer = site.post("/api/3/action/package_search", json={"fq": fq, "rows": 50})
    return {dataset["name"] for dataset in answer.json["result"]["results"]}


def suggested(
    site: Any, q: str, user: dict[str, Any] | None = None, prefix: str = ""
) -> dict[str, list[str]]:
    answer = site.get(
        f"{prefix}/api/3/action/hanoiic_search_suggest",
        query_string={"q": q},
        headers={"Authorization": user["token"]} if user else {},
    )
    return {
        group: [item["label"] for item in items]
        for group, items in answer.json["result"].items()
        if items
    }


def test_freshness_is_told_by_the_clock_of_the_question(site, city):
    assert counts(site)["freshness"] == {"current": 1, "overdue": 1, "unknown": 3}
    assert found(site, "freshness:current") == {"moi"}
    assert found(site, 'freshness:"overdue"') == {"cu"}
    assert found(site, "+freshness:unknown -name:tuy") == {"khong-khi", "diem-dung"}
    assert found(site, "freshness:(current OR overdue)") == {"moi", "cu"}


def test_quality_years_and_wards_are_counted(site, city):
    found_counts = counts(site)
    assert found_counts["quality_band"] == {"good": 3, "fair": 1, "poor": 1}
    assert found_counts["vocab_years"] == {"2023": 3, "2024": 3, "2025": 1}
    assert found_counts["vocab_wards"] == {"00166": 3, "00004": 1}
    assert found(site, 'vocab_years:"2024" vocab_wards:"00166"') == {"moi", "cu", "tuy"}


def test_every_tier_is_counted_and_filtered(site, city):
    assert counts(site)["access_tier"] == {"open": 3, "registered": 1, "click": 1}
    assert found(site, "access_tier:registered") == {"tuy"}


def test_a_private_dataset_counts_for_its_members_only(site, city):
    nobody, stranger = counts(site), counts(site, city.stranger)
    member = counts(site, city.officer)
    assert nobody == stranger
    assert "00235" not in nobody["vocab_wards"]
    assert member["vocab_wards"]["00235"] == 1
    assert member["organization"]["so-xay-dung"] == nobody["organization"]["so-xay-dung"] + 1
    assert member["access_tier"]["request"] == 1
    assert sum(member["freshness"].values()) == sum(nobody["freshness"].values()) + 1


def test_a_value_without_words_of_its_own_is_shown_last(site):
    items = [{"name": n, "display_name": n, "count": 1} for n in ("unheard", "request", "open")]
    with site.flask_app.test_request_context("/dataset/"):
        shown = facets.items("access_tier", {"access_tier": {"items": items}})
        assert [item["name"] for item in shown] == ["open", "request", "unheard"]
        assert facets.label("access_tier", "unheard") == "unheard"


def test_a_facets_limit_holds_beside_freshness(site, city):
    assert len(counts(site, **{"facet.limit": 1})["vocab_years"]) == 1
    assert sum(counts(site, **{"facet.limit": 3})["freshness"].values()) == 5


def test_facets_are_in_words_of_both_languages(site, city):
    vietnamese = page(site, "/dataset/?freshness=overdue&vocab_wards=00166")
    everything = words(page(site, "/dataset/").select_one("#search-facets"))
    assert "Mở sau khi đăng nhập" in everything
    aside = words(vietnamese.select_one("#search-facets"))
    for expected in (
        "Đúng hạn cập nhật",
        "Quá hạn cập nhật",
        "Mở, dùng ngay",
        "Hằng ngày",
        "Phường Cầu Giấy gồm phường, xã cũ: Dịch Vọng",
        "Khá: từ 80 đến 95 %",
        "2024",
    ):
        assert expected in aside, expected
    chips = words(vietnamese.select_one(".hic-filters"))
    assert chips == "Đúng hạn cập nhật: Quá hạn cập nhật Phường, xã: Phường Cầu Giấy"
    remove = vietnamese.select_one('.hic-filters a[aria-label*="Quá hạn cập nhật"]')["href"]
    assert remove == "/dataset/?vocab_wards=00166"
    english = words(page(site, "/en/dataset/").select_one("#search-facets"))
    for expected in (
        "Open now",
        "Open after signing in",
        "One click",
        "Updated as promised",
        "Look closely",
    ):
        assert expected in english, expected


def test_facets_unfold_without_a_script(site, city):
    search = page(site, "/dataset/?vocab_years=2024")
    folded = {facet["data-facet"]: facet.has_attr("open") for facet in search.select(".hic-facet")}
    assert folded["organization"]
    assert folded["vocab_years"]
    assert not folded["vocab_wards"]


def test_equal_counts_stand_in_the_order_of_the_alphabet(site, city):
    for name, title in (("z", "Đê điều"), ("y", "Âm nhạc"), ("x", "Dân số"), ("w", "Zê")):
        factories.Group(name=f"chu-de-{name}", title=title)
        helpers.call_action(
            "package_patch",
            id=city.loose["id"],
            groups=[{"name": f"chu-de-{n}"} for n in "wxyz" if n >= name],
        )
    facet = page(site, "/dataset/?vocab_wards=00166").select_one('[data-facet="groups"]')
    titles = [words(item.select_one("span")) for item in facet.select("li a")]
    order = ("Âm nhạc", "Dân số", "Đê điều", "Zê")
    assert [title for title in titles if title in order] == list(order)


def test_places_are_found_by_todays_and_former_names(site, city):
    for q in ("Cầu Giấy", "dich vong", "phường Dịch Vọng Hậu", "quan cau giay"):
        answer = site.get("/api/3/action/package_search", query_string={"q": q}).json["result"]
        assert "moi" in {dataset["name"] for dataset in answer["results"]}, q


@pytest.mark.parametrize("typed", ["điểm", "diem d", "ddieemr", "bus st", "DIEM DUNG XE"])
def test_suggestions_find_a_title_while_it_is_typed(site, city, typed):
    assert "Điểm dừng xe buýt" in suggested(site, typed)["datasets"]


def test_suggestions_come_in_groups(site, city):
    assert suggested(site, "giao thong") == {"topics": ["Giao thông vận tải"]}
    assert suggested(site, "gtvt")["topics"] == ["Giao thông vận tải"]
    assert suggested(site, "so xay")["departments"] == ["Sở Xây dựng"]
    assert suggested(site, "dich vong")["wards"] == ["Phường Cầu Giấy"]
    assert suggested(site, "bus", prefix="/en")["datasets"] == ["Bus stops"]
    assert suggested(site, "construc", prefix="/en")["departments"] == [
        "Department of Construction"
    ]


def test_exact_tones_are_suggested_first(site, city):
    for name, title in (("duong-1", "Dương xỉ"), ("duong-2", "Đường sắt")):
        factories.Dataset(name=name, title=title, owner_org=city.department["id"])
    assert suggested(site, "đường")["datasets"][-1] == "Dương xỉ"
    assert suggested(site, "dương")["datasets"][0] == "Dương xỉ"


def test_suggestions_show_no_secret(site, city):
    assert suggested(site, "điểm dừng m") == suggested(site, "điểm dừng m", city.stranger)
    assert "Điểm dừng mật" not in suggested(site, "điểm dừng mật").get("datasets", [])
    assert suggested(site, "điểm dừng m", city.officer)["datasets"] == ["Điểm dừng mật"]
    assert "wards" not in suggested(site, "đống đa")
    assert suggested(site, "đống đa", city.officer)["wards"] == ["Phường Đống Đa"]


@pytest.mark.parametrize(
    "typed", ["", "a", " ", "title:(", '"', "* OR *", "x" * 5000, "AND OR NOT"]
)
def test_nothing_that_is_typed_breaks_suggestions(site, city, typed):
    assert isinstance(suggested(site, typed), dict)


def test_a_company_is_not_suggested(site, city):
    factories.Organization(name="cong-ty", title="Công ty Giao vận", org_kind="company")
    assert "departments" not in suggested(site, "công ty giao")


def test_every_search_box_suggests_and_works_without_scripts(site, city):
    for path in ("/", "/dataset/", "/dataset/diem-dung", "/en/about", "/organization/so-xay-dung"):
        soup = page(site, path)
        box = soup.select_one("[data-hic-suggest]")
        prefix = "/en" if path.startswith("/en") else ""
        assert box["data-hic-suggest"] == f"{prefix}/api/3/action/hanoiic_search_suggest", path
        form = box.find_parent("form")
        assert form["method"] == "get"
        assert box.select_one('input[name="q"]')
        ids = [tag["id"] for tag in soup.select("[id]")]
        assert len(ids) == len(set(ids)), path


def test_without_filters_is_offered_where_filters_hide_everything(site, city):
    empty = page(site, "/dataset/?q=xe+buyt&access_tier=request").select_one(".hic-empty")
    link = empty.select_one(".hic-without-filters a")
    assert words(link) == "Bỏ bộ lọc sẽ tìm thấy 1 bộ dữ liệu"
    assert link["href"] == "/dataset/?q=xe+buyt"


def test_english_pages_have_an_english_title(site, city):
    assert (
        page(site, "/en/dataset/").title.text.split(" - ")[-1].strip() == "Hanoi Open Data Portal"
    )
    assert "Hanoi Open Data Portal" not in page(site, "/dataset/").title.text
