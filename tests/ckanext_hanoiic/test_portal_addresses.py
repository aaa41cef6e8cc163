"""Addresses are remembered, and are CKAN's whatever the request, language and settings."""

from __future__ import annotations

import pytest
from ckan.common import config
from ckan.lib import helpers
from ckanext.hanoiic.portal import addresses

ASKED = (
    (("home.index",), {}),
    (("dataset.read",), {"id": "a b"}),
    (("dataset.read",), {"id": "a", "locale": "en"}),
    (("dataset.read",), {"id": "a", "locale": "default"}),
    (("dataset.read",), {"id": "a", "_external": True}),
    (("dataset.read",), {"id": "a", "qualified": True}),
    (("dataset.search",), {"groups": ["x", "y"], "q": "đ"}),
    (("dataset.search",), {"page": 1}),
    (("dataset.search",), {"page": True}),
    (("api.action",), {"ver": 3, "logic_function": "status_show"}),
    (("/hanoiic/mark.svg",), {"locale": "default"}),
    ((), {"controller": "group", "action": "read", "id": "x"}),
)


@pytest.fixture
def root_path():
    yield lambda path: config.update({"ckan.root_path": path})
    config.pop("ckan.root_path", None)


def test_addresses_are_ckans(stage, root_path):
    def told(url_for):
        return [url_for(*names, **dict(values)) for names, values in ASKED]

    environments = (
        {},
        {"CKAN_LANG": "en", "CKAN_LANG_IS_DEFAULT": False},
        {"CKAN_LANG": "vi", "CKAN_LANG_IS_DEFAULT": True},
    )
    seen = set()
    for path in ("", "/du-lieu/{{LANG}}"):
        root_path(path)
        for prefix in ("http://test.local/", "http://test.local/prefix"):
            for environ in environments:
                with stage.flask_app.test_request_context(base_url=prefix, environ_base=environ):
                    assert told(addresses.url_for) == told(addresses.of_ckan)
                    seen.add(addresses.url_for("dataset.read", id="a"))
                    with pytest.raises(helpers.FlaskRouteBuildError):
                        addresses.url_for("no.such_page")
    assert len(seen) > 4


def test_ckans_menus_and_assets_ask_it(stage):
    assert helpers.url_for is addresses.url_for
    assert helpers.helper_functions.url_for is addresses.url_for
