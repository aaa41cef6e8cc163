"""Sitemaps: every public page in each language, and no other."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

import pytest
from ckan.tests import factories
from ckanext.hanoiic.portal import sitemap
from lxml import etree
from portal_scene import empty, page

pytest_plugins = ("portal_scene",)

NAMES = {"s": sitemap.SITEMAP, "x": sitemap.XHTML}


@pytest.fixture(scope="module")
def department(site):
    empty()
    owner = factories.Organization(name="so-xay-dung")
    for number in range(3):
        factories.Dataset(name=f"bo-{number}", owner_org=owner["id"], access_tier="open")
    factories.Dataset(name="kin", owner_org=owner["id"], private=True, access_tier="open")
    return owner


def path_of(address):
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == "http://test.ckan.net"
    return parts.path


def read(site, path):
    return etree.fromstring(site.get(path).body.encode())


def texts(root, tag):
    return [found.text for found in root.iterfind(f".//s:{tag}", NAMES)]


def test_every_public_dataset_stands_there_once_in_each_language(site, department, monkeypatch):
    monkeypatch.setattr(sitemap, "DATASETS_A_FILE", 2)
    files = [path_of(address) for address in texts(read(site, "/sitemap.xml"), "loc")]
    assert files == ["/sitemap-pages.xml", "/sitemap-1.xml", "/sitemap-2.xml"]
    seen = [path_of(address) for file in files[1:] for address in texts(read(site, file), "loc")]
    assert seen == [
        f"{prefix}/dataset/bo-{number}" for number in range(3) for prefix in ("", "/en")
    ]
    site.get("/sitemap-3.xml", status=404)
    site.get("/sitemap-0.xml", status=404)


def test_a_page_names_its_sisters_and_when_it_changed(site, department):
    root = read(site, "/en/sitemap-1.xml")
    first = root.find("s:url", NAMES)
    sisters = {
        link.get("hreflang"): path_of(link.get("href")) for link in first.iterfind("x:link", NAMES)
    }
    assert sisters == {"vi": "/dataset/bo-0", "en": "/en/dataset/bo-0"}
    assert datetime.fromisoformat(first.find("s:lastmod", NAMES).text).tzinfo is not None


def test_every_fixed_page_is_there(site, department):
    paths = [path_of(address) for address in texts(read(site, "/sitemap-pages.xml"), "loc")]
    assert "/en/organization/so-xay-dung" in paths
    for path in paths:
        site.get(path, status=200)


def test_robots_and_pages_lead_there(site, department):
    assert "Sitemap: http://test.ckan.net/sitemap.xml" in site.get("/robots.txt").body
    html = page(site, "/en/dataset/bo-1")
    links = {link["hreflang"]: link["href"] for link in html.select("link[hreflang]")}
    assert links == {
        "vi": "http://test.ckan.net/dataset/bo-1",
        "en": "http://test.ckan.net/en/dataset/bo-1",
    }
