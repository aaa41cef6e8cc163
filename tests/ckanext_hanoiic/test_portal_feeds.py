"""Atom feeds: every address in them leads where it says."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from ckan.tests import factories
from lxml import etree
from portal_scene import empty, page

pytest_plugins = ("portal_scene",)

ATOM = "{http://www.w3.org/2005/Atom}"
HERE = "http://test.ckan.net"


@pytest.fixture(scope="module")
def department(site):
    empty()
    owner = factories.Organization(name="so-xay-dung")
    for number in range(3):
        factories.Dataset(
            name=f"bo-{number}",
            title=f"Xe buýt {number}",
            owner_org=owner["id"],
            access_tier="open",
        )
    factories.Dataset(name="khac", title="Khác", owner_org=factories.Organization()["id"])
    return owner


@pytest.fixture(autouse=True)
def two_a_page(ckan_config, monkeypatch):
    monkeypatch.setitem(ckan_config, "ckan.feeds.limit", 2)


def read(site, path):
    return etree.fromstring(site.get(path).body.encode())


def links(feed):
    return {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}


@pytest.mark.parametrize(
    ("path", "alternate"),
    [
        ("/feeds/organization/so-xay-dung.atom", "/dataset/?organization=so-xay-dung"),
        ("/feeds/custom.atom?q=xe+buýt&_external=x", "/dataset/?q=xe+bu%C3%BDt&_external=x"),
    ],
)
def test_a_reader_that_follows_next_sees_every_dataset_once(site, department, path, alternate):
    seen, address, previous = [], HERE + path, None
    while address:
        parts = urlsplit(address)
        feed = read(site, f"{parts.path}?{parts.query}")
        seen += [entry.find(f"{ATOM}title").text for entry in feed.iter(f"{ATOM}entry")]
        told = links(feed)
        assert told.get("prev") == previous
        previous, address = told["self"], told.get("next")
    assert sorted(seen) == ["Xe buýt 0", "Xe buýt 1", "Xe buýt 2"]
    assert told["self"] == told["last"]
    assert told["alternate"] == HERE + alternate


def test_an_entry_leads_to_the_page_of_its_dataset(site, department):
    feed = read(site, "/en/feeds/dataset.atom")
    assert feed.get("{http://www.w3.org/XML/1998/namespace}lang") == "vi"
    for entry in feed.iter(f"{ATOM}entry"):
        to = next(one.get("href") for one in entry.findall(f"{ATOM}link") if not one.get("rel"))
        assert page(site, to.removeprefix(HERE)).h1.text.strip() == entry.find(f"{ATOM}title").text


def test_an_empty_feed_is_its_own_last_page(site, department):
    told = links(read(site, "/feeds/custom.atom?q=khongcogi"))
    assert told["first"] == told["last"] == told["self"]
    assert "next" not in told
