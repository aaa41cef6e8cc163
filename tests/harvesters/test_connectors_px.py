"""Statistical tables: PX files, JSON-stat documents, PX-Web servers that answer as API 1 does."""

from __future__ import annotations

import json
import re
import time
from itertools import product
from math import prod
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug import Request, Response

from harvesters import credentials
from harvesters.connectors import pxweb_cells
from harvesters.credentials import Credential
from tests.harvesters.conftest import rows, types

PX = """CHARSET="ANSI";
AXIS-VERSION="2010";
LANGUAGE="vi";
LANGUAGES="vi","en";
DECIMALS=1;
TITLE="Dân số trung bình theo "
"quận; năm và chỉ tiêu";
TITLE[en]="Population";
UNITS="nghìn người";
UNITS("Mật độ")="người/km2";
CONTVARIABLE="Chỉ tiêu";
STUB="Quận";
STUB[en]="District";
HEADING="Năm","Chỉ tiêu";
VALUES("Quận")="Ba Đình","Hoàn "
"Kiếm";
VALUES("Năm")="2024","Sơ bộ 2025";
VALUES("Chỉ tiêu")="Dân số","Mật độ";
CODES("Quận")="001","002";
TIMEVAL("Năm")=TLIST(A1),"2024","2025";
NOTE="Số liệu của (Cục Thống kê);"
" làm tròn";
LAST-UPDATED="20260301 08:00";
DATA=
226.3 24500 ".." "..."
147.1 27000.5 148 "-";
"""


def jsonstat(**changes: Any) -> dict[str, Any]:
    return {
        "version": "2.0",
        "class": "dataset",
        "label": "Dân số",
        "updated": "2026-03-01T00:00:00Z",
        "note": ["Làm tròn"],
        "id": ["Quận", "Năm", "ND"],
        "size": [2, 2, 1],
        "role": {"time": ["Năm"], "metric": ["ND"]},
        "dimension": {
            "Quận": {
                "label": "Quận",
                "category": {"index": ["001", "002"], "label": {"001": "Ba Đình", "002": "Tây Hồ"}},
            },
            "Năm": {"label": "Năm", "category": {"index": {"2024": 0, "2025": 1}}},
            "ND": {
                "label": "Nội dung",
                "category": {
                    "label": {"DS": "Dân số"},
                    "unit": {"DS": {"base": "nghìn người", "decimals": 1}},
                },
            },
        },
        "value": [226.3, None, "147.1", 0],
        "status": {"1": ".."},
        **changes,
    }


def test_a_px_file_is_a_table(taken, lake):
    ran = taken("px", PX)
    assert ran.error is None
    assert rows(lake, "t") == [
        {"Quận": "Ba Đình", "Quận (mã)": "001", "Năm": "2024", "Dân số": 226.3, "Mật độ": 24500.0},
        {
            "Quận": "Ba Đình",
            "Quận (mã)": "001",
            "Năm": "Sơ bộ 2025",
            "Dân số": None,
            "Mật độ": None,
        },
        {
            "Quận": "Hoàn Kiếm",
            "Quận (mã)": "002",
            "Năm": "2024",
            "Dân số": 147.1,
            "Mật độ": 27000.5,
        },
        {
            "Quận": "Hoàn Kiếm",
            "Quận (mã)": "002",
            "Năm": "Sơ bộ 2025",
            "Dân số": 148.0,
            "Mật độ": None,
        },
    ]
    units = {column.name: column.unit for column in lake.table("t").columns(1)}
    assert (units["Dân số"], units["Mật độ"]) == ("nghìn người", "người/km2")
    told = " | ".join(ran.messages)
    assert "Cục Thống kê); làm tròn" in told
    for sign in ("..", "...", "-"):
        assert f"“{sign}” became empty: 1" in told


def test_a_px_file_without_contents_has_values(taken, lake):
    text = 'STUB="Năm";VALUES("Năm")="2024","2025";UNITS="tấn";DATA=1 2;'
    assert taken("px", text).error is None
    assert rows(lake, "t") == [{"Năm": "2024", "value": 1}, {"Năm": "2025", "value": 2}]
    assert lake.table("t").columns(1)[1].unit == "tấn"


def test_old_letters_of_a_px_file_are_mended(taken, lake):
    text = 'STUB="Qu\xcbn";VALUES("Qu\xcbn")="Ba \xa7\xd7nh","T\xa9y H\xe5";DATA=1 2;'
    assert taken("px", text.encode("latin-1"), encoding="tcvn3").error is None
    assert [row["Quận"] for row in rows(lake, "t")] == ["Ba Đình", "Tây Hồ"]


def test_a_jsonstat_document_is_a_table(taken, lake):
    ran = taken("jsonstat", json.dumps(jsonstat()))
    assert ran.error is None
    assert rows(lake, "t") == [
        {"Quận": "Ba Đình", "Quận (mã)": "001", "Năm": "2024", "Dân số": 226.3},
        {"Quận": "Ba Đình", "Quận (mã)": "001", "Năm": "2025", "Dân số": None},
        {"Quận": "Tây Hồ", "Quận (mã)": "002", "Năm": "2024", "Dân số": 147.1},
        {"Quận": "Tây Hồ", "Quận (mã)": "002", "Năm": "2025", "Dân số": 0.0},
    ]
    assert ran.messages[-2:] == ["Làm tròn", "cells that say “..” became empty: 1"]
    assert types(lake, "t")["Quận (mã)"] == "string"


def test_jsonstat_cells_may_be_an_object(taken, lake):
    sparse = jsonstat(value={"0": 1.5, "3": 2}, status="p")
    del sparse["role"]["metric"]
    sparse["dimension"]["ND"]["category"] = {"label": {"DS": "Dân số"}}
    assert taken("jsonstat", json.dumps(sparse)).error is None
    found = rows(lake, "t")
    assert [row["value"] for row in found] == [1.5, None, None, 2.0]
    assert found[0]["Nội dung"] == "Dân số"


@pytest.mark.parametrize(
    ("kind", "content", "code", "words"),
    [
        ("px", PX.replace('"-"', '"-" 5'), "cube_broken", "more cells"),
        ("px", PX.replace('"-"', ""), "cube_broken", "7 cells; its variables have 8"),
        ("px", PX.partition("DATA")[0], "cube_broken", "DATA"),
        ("px", PX.replace("LANGUAGE=", "LANGUAGE"), "cube_broken", "no PX file"),
        ("px", PX.replace('CODES("Quận")="001"', 'CODES("Quận")="001","x"'), "cube_broken", "few"),
        ("px", PX.replace('"2024","Sơ', '"Sơ bộ 2025","Sơ'), "cube_broken", "twice"),
        ("px", PX.replace('STUB="Quận"', 'STUB="Năm"'), "cube_broken", "dimension twice"),
        ("px", PX.replace("CONTVARIABLE=", "CONTVARIABLE="), None, ""),
        ("px", PX.replace('IABLE="Chỉ tiêu"', 'IABLE="x"'), "cube_broken", "CONTVARIABLE"),
        ("px", PX.replace("DATA=", 'KEYS("Quận")=CODES;DATA='), "cube_broken", "KEYS"),
        ("px", "A(" + '"' * 200_000, "cube_broken", "no PX file"),
        ("px", "A" * 500_000 + "=", "cube_broken", "no PX file"),
        ("px", "A=" + '"x"' * 100_000, "cube_broken", "no PX file"),
        ("px", "<html><title>x</title>", "html_instead_of_data", ""),
        ("jsonstat", "[1]", "cube_broken", "no dataset"),
        ("jsonstat", '{"class": "dataset"', "cube_broken", "no valid JSON"),
        ("jsonstat", json.dumps(jsonstat(value=[1])), "cube_broken", "has 1 cells"),
        ("jsonstat", json.dumps(jsonstat(value={"9": 1})), "cube_broken", "no dimension"),
        ("jsonstat", json.dumps(jsonstat(value=[1, 2, 3, [4]])), "cube_broken", "no number"),
        ("jsonstat", json.dumps(jsonstat(size=[2, 2, 2])), "cube_broken", "other sizes"),
        ("jsonstat", json.dumps(jsonstat(id=[])), "cube_broken", "0 dimensions"),
        ("jsonstat", json.dumps(jsonstat(dimension={})), "cube_broken", "no dataset"),
        ("jsonstat", json.dumps({"class": "collection"}), "cube_broken", "no dataset"),
    ],
)
def test_broken_tables_are_refused(taken, lake, kind, content, code, words):
    begun = time.monotonic()
    ran = taken(kind, content)
    assert ran.code == code
    if code:
        assert words in ran.error.detail
        assert not lake.tables()
    assert time.monotonic() - begun < 10


def test_a_table_of_too_many_cells_is_not_begun(taken):
    wide = {str(number): number for number in range(2_000)}
    big = jsonstat(size=[2_000, 2_000, 2_000])
    for code in big["id"]:
        big["dimension"][code]["category"] = {"index": wide}
    assert taken("jsonstat", json.dumps(big)).code == "source_too_large"


QUAN = ["001", "002", "003"]
NAM = [str(year) for year in range(2015, 2025)]


class Office:
    """Two folders and a table of 3 × 10 × 2 cells; `limit` are the cells of an answer."""

    def __init__(self, url: str) -> None:
        self.url, self.limit = url, 1_000
        self.updated, self.renewed = "2026-03-01T00:00:00", "2026-03-01T00:00:00Z"
        self.questions: list[dict[str, list[str]]] = []
        self.asked: list[Request] = []
        self.answers: dict[str, Any] = {}
        self.values = {key: 1.0 + number for number, key in enumerate(product(QUAN, NAM, "AB"))}
        self.before: Any = None

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        path = request.path.partition("/api/v1/vi")[2].strip("/")
        key = "config" if request.query_string == b"config" else path
        if key in self.answers:
            found = self.answers[key]
        elif key == "config":
            found = {"maxValues": self.limit, "maxCalls": 1_000, "timeWindow": 1, "CORS": True}
        elif request.method == "POST":
            found = self._cells(json.loads(request.data))
        else:
            found = self._node(path)
        if isinstance(found, Response):
            return found
        return Response(json.dumps(found), content_type="application/json")

    def _node(self, path: str) -> Any:
        tree = {
            "": [{"dbid": "Dân số", "text": "Dân số và lao động"}],
            "Dân số": [
                {"id": "h", "type": "h", "text": "Đầu đề"},
                {"id": "Dân cư", "type": "l", "text": "Dân cư"},
            ],
            "Dân số/Dân cư": [
                {"id": "V02.px", "type": "t", "text": "Dân  số theo quận", "updated": self.updated}
            ],
        }
        if path in tree:
            return tree[path]
        return {
            "title": "Dân số theo quận, năm",
            "variables": [
                {"code": "Quận", "text": "Quận", "values": QUAN, "valueTexts": [*"XYZ"]},
                {"code": "Năm", "text": "Năm", "values": NAM, "valueTexts": NAM, "time": True},
                {"code": "ND", "text": "Nội dung", "values": [*"AB"], "valueTexts": ["Nam", "Nữ"]},
            ],
        }

    def _cells(self, question: dict[str, Any]) -> Any:
        assert question["response"] == {"format": "json-stat2"}
        wanted = {each["code"]: each["selection"]["values"] for each in question["query"]}
        self.questions.append(wanted)
        if self.before:
            self.before()
        if prod(map(len, wanted.values())) > self.limit:
            return Response('{"error": "Too many values selected"}', status=403)
        sizes = [len(wanted[code]) for code in ("Quận", "Năm", "ND")]
        cells = [self.values[key] for key in product(wanted["Quận"], wanted["Năm"], wanted["ND"])]
        texts = dict(zip(QUAN, "XYZ", strict=True))
        names = {"A": "Nam", "B": "Nữ"}
        return {
            **{"version": "2.0", "class": "dataset", "label": "Dân số", "updated": self.renewed},
            **{"id": ["Quận", "Năm", "ND"], "size": sizes, "note": ["Số liệu sơ bộ"]},
            "role": {"time": ["Năm"], "metric": ["ND"]},
            "dimension": {
                "Quận": _dimension("Quận", wanted["Quận"], texts),
                "Năm": _dimension("Năm", wanted["Năm"], {}),
                "ND": _dimension(
                    "Nội dung",
                    wanted["ND"],
                    names,
                    unit={code: {"base": "người", "decimals": 0} for code in wanted["ND"]},
                ),
            },
            "value": [None if isinstance(cell, str) else cell for cell in cells],
            "status": {str(n): cell for n, cell in enumerate(cells) if isinstance(cell, str)},
        }


def _dimension(label: str, codes: list[str], texts: dict[str, str], **more: Any) -> dict[str, Any]:
    index = {code: number for number, code in enumerate(codes)}
    labels = {code: texts.get(code, code) for code in codes}
    return {"label": label, "category": {"index": index, "label": labels, **more}}


@pytest.fixture
def office(httpserver) -> Office:
    office = Office(httpserver.url_for("/api/v1/vi"))
    httpserver.expect_request(re.compile(r"/api/v1/vi(/.*)?$")).respond_with_handler(office)
    return office


@pytest.fixture
def got(taken, office):
    return lambda path="", **options: taken("pxweb", url=office.url + quote(path), **options)


@pytest.fixture
def harvested(portal, run, office):
    source = portal.add_source(
        name="tk", kind="pxweb", url=office.url, dataset={"access_tier": "open"}
    )
    return lambda: run(source)


TABLE = "/Dân số/Dân cư/V02.px"


def test_a_table_has_a_row_for_each_combination(got, office, lake):
    office.values[("001", "2016", "B")] = ".."
    ran = got(TABLE)
    assert ran.error is None
    (name,) = lake.tables()
    found = rows(lake, name)
    assert len(found) == 30
    assert found[1] == {"Quận": "X", "Quận (mã)": "001", "Năm": "2016", "Nam": 3, "Nữ": None}
    units = {column.name: column.unit for column in lake.table(name).columns(1)}
    assert units == {"Quận": "", "Quận (mã)": "", "Năm": "", "Nam": "người", "Nữ": "người"}
    assert "Số liệu sơ bộ" in ran.messages
    assert "cells that say “..” became empty: 1" in ran.messages


@pytest.mark.parametrize(("limit", "parts"), [(60, 1), (59, 2), (20, 3), (6, 12), (2, 30)])
def test_a_table_is_asked_for_in_parts_within_the_limit(got, office, lake, limit, parts):
    office.limit = limit
    assert got(TABLE).error is None
    # And once for the first cell.
    assert len(office.questions) == parts + 1
    found = rows(lake, lake.tables()[0])
    cells = [row[name] for row in found for name in ("Nam", "Nữ")]
    assert cells == list(office.values.values())
    assert [row["Quận (mã)"] for row in found[::10]] == QUAN


def test_every_table_of_the_tree_is_a_dataset(harvested, office, portal):
    assert harvested().error is None
    (dataset,) = portal.datasets.values()
    assert dataset["harvest_identifier"] == "Dân số/Dân cư/V02.px"
    assert dataset["title"] == "Dân số theo quận"
    assert dataset["notes"] == "Dân số và lao động › Dân cư › Dân số theo quận"
    assert {tag["name"] for tag in dataset["tags"]} == {"Dân số và lao động", "Dân cư"}


def test_a_table_that_was_not_renewed_is_not_asked_for(harvested, office, lake):
    assert harvested().state == "published"
    office.questions.clear()
    assert harvested().state == "unchanged"
    assert not office.questions
    office.values[("001", "2015", "A")] = 77.0
    office.updated, office.renewed = "2026-04-01T00:00:00", "2026-04-01T00:00:00Z"
    assert harvested().state == "published"
    assert rows(lake, lake.tables()[0])[0]["Nam"] == 77


def test_a_table_without_a_folder_is_asked_for_its_first_cell(portal, run, office):
    url = office.url + quote(TABLE)
    source = portal.add_source(name="tk", kind="pxweb", url=url, dataset={"access_tier": "open"})
    assert [run(source).state for _ in range(2)] == ["published", "unchanged"]
    assert len(office.questions) == 3


def test_a_table_that_is_renewed_while_it_is_read_is_read_anew(got, office, lake):
    def renew() -> None:
        if len(office.questions) == 3:
            office.renewed = "2026-05-01"
            office.values = dict.fromkeys(office.values, 5.0)

    office.limit, office.before = 20, renew
    assert got(TABLE).error is None
    assert {row["Nam"] for row in rows(lake, lake.tables()[0])} == {5}


def test_questions_are_asked_as_often_as_the_server_allows(got, office):
    office.answers["config"] = {"maxValues": 20, "maxCalls": 10, "timeWindow": 1}
    begun = time.monotonic()
    assert got(TABLE).error is None
    # The folder, the variables, the first cell, and three parts.
    assert time.monotonic() - begun > 0.5


def test_questions_are_asked_again_when_the_server_wants_a_rest(got, office, lake):
    cells, busy = office._cells, [Response("{}", status=429, headers={"Retry-After": "1"})]
    office._cells = lambda question: busy.pop() if busy else cells(question)
    begun = time.monotonic()
    assert got(TABLE).error is None
    assert time.monotonic() - begun > 1
    assert len(rows(lake, lake.tables()[0])) == 30


def test_the_secret_goes_with_every_question(portal, run, office, monkeypatch):
    secret = Credential("bearer", "localhost", "k-7")
    monkeypatch.setattr(credentials, "read", lambda source, portal: secret)
    url = office.url + quote(TABLE)
    assert run(portal.add_source(name="tk", kind="pxweb", url=url)).error is None
    assert {request.method for request in office.asked} == {"GET", "POST"}
    assert {request.headers["Authorization"] for request in office.asked} == {"Bearer k-7"}


def test_a_question_is_not_led_into_the_private_network(got, office, lake):
    away = Response("", status=307, headers={"Location": "http://127.0.0.2:9/api"})
    office._cells = lambda question: away
    assert got(TABLE).code == "address_forbidden"
    assert not lake.tables()


def test_a_server_that_does_not_say_its_limits_gets_the_usual_ones(got, office, monkeypatch):
    monkeypatch.setattr(pxweb_cells, "USUAL_WINDOW_S", 0)
    office.answers["config"] = Response("no", status=404)
    assert got(TABLE).error is None


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"": {"a": 1}}, "api_refused", "no folder or table"),
        ({"": [{"text": "x"}]}, "api_refused", "identifier"),
        ({"": [3]}, "api_refused", "identifier"),
        ({"Dân số": {"variables": []}}, "api_refused", "is none"),
        ({"": Response("<html>")}, "api_refused", "no JSON"),
        ({TABLE[1:]: {"variables": [{"code": "a"}]}}, "api_refused", "describe"),
        ({TABLE[1:]: {"variables": [{"code": "a", "values": []}]}}, "cube_broken", "categories"),
        ({TABLE[1:]: jsonstat()}, "api_refused", "describe"),
    ],
)
def test_what_goes_wrong_is_named_and_nothing_is_published(got, office, lake, answers, code, words):
    office.answers = answers
    ran = got()
    assert ran.code == code
    assert words in ran.error.detail
    assert not lake.tables()


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda office: office.answers.update(config={"maxValues": 1}), "source_too_large", "more"),
        (
            lambda office: setattr(office, "_cells", lambda question: jsonstat()),
            *("pages_broken", "other cells"),
        ),
        (
            lambda office: setattr(office, "_cells", lambda q: Response('{"class"')),
            *("cube_broken", "no valid JSON"),
        ),
        (
            lambda office: setattr(office, "_cells", lambda q: Response("{}", status=403)),
            *("source_answered_error", "403"),
        ),
        (
            lambda office: setattr(
                office, "before", lambda: setattr(office, "renewed", str(len(office.questions)))
            ),
            *("source_changing", "renewed"),
        ),
    ],
)
def test_broken_answers_publish_nothing(got, office, lake, change, code, words):
    change(office)
    ran = got(TABLE)
    assert ran.code == code
    assert words in ran.error.detail
    assert not lake.tables()


def test_folders_without_end_are_refused(got, office, monkeypatch):
    monkeypatch.setattr("harvesters.connectors.pxweb.MOST_LEVELS", 3)
    monkeypatch.setattr(office, "_node", lambda path: [{"id": "x", "type": "l", "text": "mãi mãi"}])
    assert got().code == "catalogue_broken"
