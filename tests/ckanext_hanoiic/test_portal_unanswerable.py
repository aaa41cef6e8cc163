"""Addresses that no page can answer: refused with a reason, never a failure of the portal."""

from __future__ import annotations

import pytest

pytest_plugins = ("portal_scene",)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/catalog.ttl?q=title:", 400),
        ("/catalog.doc", 404),
        ("/dataset/diem-dung.doc", 404),
        ("/feeds/custom.atom?q=title:", 400),
        ("/feeds/custom.atom?sort=x", 400),
        ('/feeds/tag/a"b.atom', 400),
        ("/organization/so-xay-dung?q=title:", 200),
        ("/group/transport?sort=x", 200),
        ("/dataset/nowhere/resource/new", 404),
        ("/api/2/util/user/autocomplete?q=o", 403),
        ("/organization?q=%00", 400),
        ("/dataset/%00", 400),
        ("/dataset?q=a&tags=%00", 400),
    ],
)
def test_what_cannot_be_answered_is_refused(site, scene, address, status):
    answer = site.get(address, status=status)
    assert "<h1" in answer.body


def test_the_api_refuses_in_its_own_words(site, scene):
    answer = site.get("/api/3/action/package_show?id=%00", status=400).json
    assert (answer["success"], answer["error"]["__type"]) == (False, "Bad Request")
