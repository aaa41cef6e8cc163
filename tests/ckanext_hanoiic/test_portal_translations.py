"""No English is left on the pages that a Vietnamese reader meets."""

from __future__ import annotations

from pathlib import Path

import ckan
import polib
from bs4 import BeautifulSoup
from ckan.plugins import toolkit as tk
from ckan.tests import factories
from ckanext.hanoiic.portal import plugin
from portal_scene import page

pytest_plugins = ("portal_scene",)

OURS = Path(plugin.__file__).with_name("i18n") / "vi/LC_MESSAGES/ckanext-hanoiic-portal.po"
ALL = sorted(OURS.parents[4].glob("*/i18n/vi/LC_MESSAGES/*.po"))
CKANS = Path(ckan.__file__).with_name("i18n") / "vi/LC_MESSAGES/ckan.po"
ATTRIBUTES = ("aria-label", "placeholder", "title", "alt", "data-bs-title", "content")
# Words that CKAN has as messages and that are also names, of formats or of software.
SAME_IN_BOTH = {"API", "CSV", "URL", "Markdown", "CKAN", "X", "SQL", "1.0", "N/A", "Email"}

VISITOR = (
    "/",
    "/dataset/",
    "/dataset/?q=zzzzz&access_tier=open",
    "/dataset/diem-dung",
    "/dataset/khong-khi",
    "/dataset/groups/diem-dung",
    "/dataset/diem-dung/resource/{resource}",
    "/organization/",
    "/organization/so-xay-dung",
    "/organization/about/so-xay-dung",
    "/group/",
    "/group/transport",
    "/group/about/transport",
    "/user/login",
    "/user/register",
    "/user/reset",
    "/user/logged_out_redirect",
    "/about",
    "/api-guide",
)
OFFICER = (
    "/dashboard/datasets",
    "/dashboard/organizations",
    "/dashboard/groups",
    "/user/can-bo",
    "/user/edit/can-bo",
    "/user/can-bo/api-tokens",
    "/dataset/new",
    "/dataset/edit/diem-dung",
    "/dataset/resources/diem-dung",
    "/dataset/diem-dung/resource/new",
    "/dataset/diem-dung/resource/{resource}/edit",
)
OPERATOR = (
    "/organization/new",
    "/organization/edit/so-xay-dung",
    "/organization/members/so-xay-dung",
    "/organization/member_new/so-xay-dung",
    "/group/new",
    "/group/edit/transport",
    "/user/",
)


def english_messages() -> set[str]:
    """Every message of CKAN and of the portal that reads differently in Vietnamese."""
    translated = {}
    for entry in [*polib.pofile(str(CKANS)), *polib.pofile(str(OURS))]:
        if not entry.obsolete:
            text = entry.msgstr or entry.msgstr_plural.get(0, "")
            translated[entry.msgid] = text or translated.get(entry.msgid, "")
            if entry.msgid_plural:
                translated[entry.msgid_plural] = text
    return {
        message
        for message, text in translated.items()
        if message != text and len(message) > 1 and message not in SAME_IN_BOTH
    }


def left_in_english(soup: BeautifulSoup, english: set[str]) -> set[str]:
    for hidden in soup.select("script, style, code, pre"):
        hidden.decompose()
    found = {" ".join(text.split()).rstrip(":") for text in soup.find_all(string=True)}
    for name in ATTRIBUTES:
        found |= {" ".join(tag[name].split()) for tag in soup.find_all(attrs={name: True})}
    return found & english


def test_no_english_message_on_the_main_pages(site, scene):
    english = english_messages()
    resource = scene.stops["resources"][0]["id"]
    operator = {"token": sysadmin_token()}
    left = {}
    for user, paths in ((None, VISITOR), (scene.officer, OFFICER), (operator, OPERATOR)):
        for path in paths:
            soup = page(site, path.format(resource=resource), user)
            if found := left_in_english(soup, english):
                left[path] = found
    assert left == {}


def test_no_english_message_in_refusals_and_errors(site, scene):
    english = english_messages()
    headers = {"Authorization": scene.officer["token"]}
    wrong = site.post(
        "/dataset/new", data={"save": "", "name": "a b", "_ckan_phase": "1"}, headers=headers
    )
    failed = site.post("/user/login", data={"login": "x", "password": "wrong-password"})
    for answer in (wrong, failed):
        soup = BeautifulSoup(answer.body, "html.parser")
        assert soup.select(".alert, .error-explanation, .error-block")
        assert left_in_english(soup, english) == set()
    assert left_in_english(page(site, "/nowhere", status=404), english) == set()


def test_the_page_test_would_notice_english(site, scene):
    soup = page(site, "/en/user/login")
    assert {"Password", "Remember me", "Departments"} <= left_in_english(soup, english_messages())


def test_our_words_replace_ckans(site):
    with site.flask_app.test_request_context("/"):
        assert tk._("Log out") == "Đăng xuất"
        assert tk._("Datasets") == "Bộ dữ liệu"
        assert tk.ungettext("{number} dataset found", "{number} datasets found", 20) == (
            "{number} bộ dữ liệu"
        )


def test_compiled_messages_are_those_of_the_source():
    compiled = polib.mofile(str(OURS.with_suffix(".mo")))
    source = polib.pofile(str(OURS))
    assert {(e.msgid, e.msgstr) for e in compiled} == {(e.msgid, e.msgstr) for e in source}
    assert not [entry.msgid for entry in source if not entry.translated()]


def test_a_message_of_several_plugins_has_one_translation():
    """CKAN merges the plugins' catalogues; of two translations the last one loaded would win."""
    said: dict[tuple[str | None, str], dict[str, str]] = {}
    for catalogue in ALL:
        for entry in polib.pofile(str(catalogue)):
            texts = entry.msgstr or str(entry.msgstr_plural)
            said.setdefault((entry.msgctxt, entry.msgid), {})[catalogue.stem] = texts
    assert len(ALL) > 1
    assert any(len(texts) > 1 for texts in said.values())
    differing = {key: texts for key, texts in said.items() if len(set(texts.values())) > 1}
    assert differing == {}


def sysadmin_token() -> str:
    return factories.SysadminWithToken()["token"]
