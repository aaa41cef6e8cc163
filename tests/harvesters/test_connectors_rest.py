"""JSON APIs in pages, from a real server through a run into the lake."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug import Request, Response

from harvesters import credentials, pages
from harvesters.credentials import Credential
from harvesters.errors import PagesBroken
from tests.harvesters.conftest import rows

ROWS = [{"mã": f"{number:03}", "số": number} for number in range(1, 8)]


@pytest.fixture
def api(httpserver) -> Callable[..., list[Request]]:
    """Serve `/api` by a function of the query's arguments; the requests that came."""

    def api(answer: Callable[[dict[str, str]], Any]) -> list[Request]:
        asked: list[Request] = []

        def handle(request: Request) -> Response:
            asked.append(request)
            given = answer(dict(request.args))
            if isinstance(given, Response):
                return given
            return Response(json.dumps(given), content_type="application/json")

        httpserver.expect_request("/api").respond_with_handler(handle)
        return asked

    return api


@pytest.fixture
def harvested(portal, httpserver, run):
    source: dict[str, Any] = {}

    def harvested(query: str = "", **options: Any) -> Any:
        if not source:
            source.update(
                portal.add_source(
                    name="api",
                    kind="rest",
                    url=httpserver.url_for("/api") + query,
                    options=options,
                    dataset={"table": "t", "access_tier": "open", "update_frequency": "DAILY"},
                )
            )
        return run(source)

    return harvested


@pytest.fixture
def got(taken, httpserver):
    """The API's table without a catalogue and a queue around it."""

    def got(query: str = "", **options: Any) -> Any:
        return taken("rest", url=httpserver.url_for("/api") + query, **options)

    return got


def _part(start: int, size: int = 3) -> list[dict[str, Any]]:
    return ROWS[start : start + size]


def by_number(args: dict[str, str]) -> Any:
    return {"trang": int(args["page"]), "items": _part(3 * (int(args["page"]) - 1))}


def by_number_then_404(args: dict[str, str]) -> Any:
    found = by_number(args)
    return found if found["items"] else Response("{}", status=404)


def by_zero(args: dict[str, str]) -> Any:
    return _part(3 * int(args["p"]))


def by_offset(args: dict[str, str]) -> Any:
    # It is asked for five and gives three: its own limit.
    assert args["limit"] == "5"
    return {"result": {"rows": _part(int(args["offset"])) or None}}


def by_cursor(args: dict[str, str]) -> Any:
    start = int(args.get("after", "0"))
    more = start + 3 < len(ROWS)
    return {"data": _part(start), "meta": {"cursor": start + 3 if more else None}}


def by_address(args: dict[str, str]) -> Any:
    start = int(args.get("from", "0"))
    following = f"?from={start + 3}" if start + 3 < len(ROWS) else ""
    return {"value": _part(start), "@odata.nextLink": following}


def as_sensorthings(args: dict[str, str]) -> Any:
    start = int(args.get("$skip", "0"))
    more = {"@iot.nextLink": f"?$top=3&$skip={start + 3}"} if start + 3 < len(ROWS) else {}
    return {"@iot.count": len(ROWS), **more, "value": _part(start)}


def as_socrata(args: dict[str, str]) -> Any:
    assert (args["$limit"], args["$order"]) == ("3", ":id")
    return _part(int(args["$offset"]))


def by_header(args: dict[str, str]) -> Any:
    start = int(args.get("from", "0"))
    headers = {"Link": '</api>; rel="first"; title="a, b"'}
    if start + 3 < len(ROWS):
        headers["Link"] += f', </api?from={start + 3}>; rel="last next"'
    return Response(json.dumps(_part(start)), headers=headers)


@pytest.mark.parametrize(
    ("answer", "query", "options"),
    [
        (by_number, "", {"paging": "page"}),
        (by_number, "?page=1", {"paging": "page"}),
        (by_number_then_404, "", {"paging": "page"}),
        (by_zero, "", {"paging": "page", "page_parameter": "p", "first_page": 0}),
        (by_offset, "?limit=5", {"paging": "offset", "rows": "result.rows"}),
        (
            by_cursor,
            "",
            {"paging": "cursor", "page_parameter": "after", "next": "$.meta.cursor"},
        ),
        (by_address, "", {}),
        (by_address, "", {"paging": "next", "next": "@odata.nextLink"}),
        (as_sensorthings, "?$top=3", {}),
        (
            as_socrata,
            "?$limit=3&$order=:id",
            {"paging": "offset", "page_parameter": "$offset"},
        ),
        (by_header, "", {}),
        (by_header, "", {"paging": "link"}),
    ],
)
def test_all_pages_are_one_table(api, got, lake, answer, query, options):
    api(answer)
    assert got(query, **options).error is None
    assert rows(lake, "t") == ROWS


def test_half_a_letter_breaks_no_row():
    assert json.loads(pages.line({"a\ud83d": "🚌\ud83d"})) == {"a\ufffd": "🚌\ufffd"}


def test_what_stands_around_the_rows_makes_no_new_version(api, harvested, lake):
    moments = iter(range(100))

    def answer(args: dict[str, str]) -> Any:
        return {**by_address(args), "at": next(moments)}

    asked = api(answer)
    assert harvested().state == "published"
    assert harvested().state == "unchanged"
    assert len(asked) == 6
    assert lake.table("t").resolve().number == 1


def test_a_page_that_did_not_change_is_not_sent_again(api, harvested):
    statuses: list[int] = []

    def answer(args: dict[str, str]) -> Response:
        response = by_header(args)
        response.set_etag(args.get("from", "0"))
        response.make_conditional(asked[-1])
        if response.status_code == 304:
            response.headers.remove("Link")
        statuses.append(response.status_code)
        return response

    asked = api(answer)
    assert harvested().state == "published"
    assert harvested().state == "unchanged"
    assert statuses == [200] * 3 + [304] * 3


def test_more_rows_than_came_are_not_overlooked(api, got, lake):
    api(lambda args: {"total": 7, "items": _part(0)})
    ran = got()
    assert ran.error.code == "pages_broken"
    assert "has 7 rows and gave 3" in ran.error.detail
    assert not lake.tables()


@pytest.mark.parametrize(
    ("answer", "options", "code", "words"),
    [
        (lambda a: {"r": _part(0)}, {"paging": "page"}, "pages_broken", "same rows again"),
        (lambda a: {"r": _part(0), "next": "/api"}, {}, "pages_broken", "circle"),
        (
            lambda a: {"r": _part(0), "c": "x"},
            {"paging": "cursor", "next": "c", "page_parameter": "z"},
            "pages_broken",
            "same rows again",
        ),
        (
            lambda a: {"r": _part(int(a.get("z", 0))), "c": 3},
            {"paging": "cursor", "next": "c", "page_parameter": "z"},
            "pages_broken",
            "circle",
        ),
        (lambda a: {"r": _part(0), "next": "http://other.test/"}, {}, "pages_broken", "another"),
        (lambda a: {"r": _part(0), "next": "http://[bad/"}, {}, "pages_broken", "is none"),
        (lambda a: {"r": _part(0), "next": "file:///etc/passwd"}, {}, "pages_broken", "another"),
        (
            lambda a: {"error": "no"} if a else {"r": _part(0), "next": "?b=1"},
            {},
            "pages_broken",
            "Page 2",
        ),
        (lambda a: {"r": _part(0), "next": {"a": [1]}}, {"paging": "next"}, None, ""),
        (lambda a: {"r": []}, {"paging": "page"}, "table_empty", "empty"),
        (lambda a: {"error": "no"}, {}, "rows_not_found", "no list"),
        (lambda a: {"a": _part(0), "b": _part(3)}, {}, "rows_not_found", "a (3 rows)"),
        (lambda a: Response("<!doctype html><html>"), {}, "html_instead_of_data", ""),
        (lambda a: Response('{"r": [{"a": 1}'), {}, "json_broken", "truncated"),
        (lambda a: Response("{}", status=403), {}, "source_answered_error", "403"),
        (lambda a: Response("{}", status=404), {"paging": "page"}, "source_answered_error", "404"),
        (lambda a: {"r": _part(0)}, {"paging": "pages"}, "source_invalid", "paging"),
    ],
)
def test_what_goes_wrong_is_named_and_nothing_is_published(
    api, got, lake, answer, options, code, words
):
    api(answer)
    ran = got(**options)
    assert ran.code == code
    if code:
        assert words in ran.error.detail
        assert not lake.tables()


def test_an_endless_api_is_refused(api, got, lake, monkeypatch):
    monkeypatch.setattr(pages, "MOST_PAGES", 5)
    asked = api(lambda args: {"r": [{"n": args["page"]}]})
    assert got(paging="page").code == "source_too_large"
    assert len(asked) == 5
    assert not lake.tables()


def test_the_size_of_all_pages_is_capped(api, got, lake):
    # The tests' client takes 4 MiB.
    api(lambda args: {"r": [{"n": args["page"], "text": "x" * 900_000}]})
    assert got(paging="page").code == "source_too_large"
    assert not lake.tables()


def test_the_secret_goes_with_every_page(api, harvested, monkeypatch):
    asked = api(by_address)
    secret = Credential("bearer", "localhost", "k-7")
    monkeypatch.setattr(credentials, "read", lambda source, portal: secret)
    assert harvested().error is None
    assert len(asked) == 3
    assert {request.headers["Authorization"] for request in asked} == {"Bearer k-7"}


@pytest.mark.parametrize(
    ("base", "url", "expected"),
    [
        ("https://a.test/x", "http://a.test/y?z=1", "https://a.test/y?z=1"),
        ("https://a.test/x", "https://a.test:443/y", None),
        ("https://a.test/x", "https://a.test:8443/y", None),
        ("https://a.test/x", "//b.test/y", None),
        ("https://a.test/x", "https://a.test@b.test/", None),
        ("http://a.test:80/x", "?q#fragment", "http://a.test:80/x?q"),
        ("http://a.test/x", "http://a.test:99999/", None),
    ],
)
def test_a_next_page_is_of_the_same_host(base, url, expected):
    if expected is None:
        with pytest.raises(PagesBroken):
            pages.same_host(base, url)
    else:
        assert pages.same_host(base, url) == expected


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", {"paging": "page"}),
        ("?offset=0", {"paging": "offset"}),
        ("", {"paging": "cursor", "page_parameter": "offset"}),
        ("", {}),
        ("", {"paging": "next"}),
    ],
)
def test_pages_that_end_before_the_rows_do_are_refused(api, got, lake, query, options):
    def answer(args: dict[str, str]) -> Any:
        start = int(args.get("offset", (int(args.get("page", 1)) - 1) * 3))
        ends = start >= 3
        following = {} if ends else {"next": "?offset=3", "next_cursor": 3}
        part = _part(start) if start <= 3 and args.get("page") != "3" else []
        return {"total": 7, "items": part, **following}

    api(answer)
    assert isinstance(got(query, **options).error, PagesBroken)
    assert not lake.table("t").exists()


def test_an_address_that_begins_farther_on_asks_for_a_part(api, got, lake):
    api(lambda args: {"total": 7, "items": _part(int(args["offset"]))})
    assert got("?offset=4", paging="offset").error is None
    assert rows(lake, "t") == ROWS[4:]
