"""A session's cookie alone changes nothing, whatever others did to the same views before."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from ckan import model
from ckan.tests import factories
from ckanext.hanoiic.console.model import Source
from ckanext.hanoiic.licensing.model import Agreement, Token

PASSWORD = "mat-khau-cua-can-bo-1"


def token_of(app, path):
    page = BeautifulSoup(app.get(path).body, "lxml")
    return page.select_one("main, #content").select_one("input[name=_csrf_token]")["value"]


@pytest.fixture
def officer(with_plugins, clean_db):
    factories.User(name="hanoiic-harvester")
    return factories.UserWithToken(password=PASSWORD)


@pytest.fixture
def dataset(officer):
    users = [{"name": officer["name"], "capacity": "admin"}]
    department = factories.Organization(users=users)
    return factories.Dataset(
        owner_org=department["id"], access_tier="click", license_id="CC-BY-4.0"
    )


@pytest.mark.ckan_config("WTF_CSRF_ENABLED", True)
def test_forms_need_their_token_even_after_calls_by_api_token_or_by_nobody(
    make_app, officer, dataset
):
    app = make_app()
    forms = {
        "/hanoiic/sources/new": {"title": "x", "url": "https://a.example.vn/x.csv", "kind": "csv"},
        f"/hanoiic/access/datasets/{dataset['id']}/accept": {},
        "/hanoiic/access/tokens": {"name": "stolen", "scopes": "query", "lifetime_days": "30"},
        f"/dataset/delete/{dataset['id']}": {"delete": ""},
        f"/user/edit/{officer['name']}": {"fullname": "stolen", "save": ""},
        f"/user/{officer['name']}/api-tokens": {"name": "stolen"},
        "/api/3/action/package_delete": {"id": dataset["id"]},
    }
    for path in forms:
        # CKAN takes both for a reason never to check these views again.
        app.get(path)
        app.get(path, headers={"Authorization": officer["token"]})
    entry = {"login": officer["name"], "password": PASSWORD}
    app.post("/user/login", data={**entry, "_csrf_token": token_of(app, "/user/login")})
    for path, form in forms.items():
        app.post(path, data=form, status=400, follow_redirects=False)
    assert model.Session.query(Source).count() == 0
    assert model.Session.query(Agreement).count() == 0
    assert model.Session.query(Token).count() == 0
    assert model.Session.query(model.ApiToken).filter_by(name="stolen").count() == 0
    assert model.Package.get(dataset["id"]).state == "active"
    assert model.User.get(officer["name"]).fullname != "stolen"
    form = {"name": "mine", "scopes": "query", "lifetime_days": "30"}
    form["_csrf_token"] = token_of(app, "/hanoiic/access")
    app.post("/hanoiic/access/tokens", data=form, status=200)
    assert model.Session.query(Token).count() == 1


@pytest.mark.ckan_config("WTF_CSRF_ENABLED", True)
def test_programs_with_an_api_token_need_no_other(make_app, officer, dataset):
    make_app().post(
        "/api/3/action/package_patch",
        json={"id": dataset["id"], "title": "Mới"},
        headers={"Authorization": officer["token"]},
        status=200,
    )
    assert model.Package.get(dataset["id"]).title == "Mới"
