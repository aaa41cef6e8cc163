"""The rows of a table by address: an unmodified `postgrest` client, and the dialect by hand."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from postgrest import APIError, SyncPostgrestClient

from lake import Column, Provenance
from lake.schema import to_arrow
from tests.api_gateway.portal import STARTUP, permit

COLUMNS = [
    Column("mã", "int64", ascii="ma"),
    Column("tên", "string", ascii="ten"),
    Column("dân số", "int64", ascii="dan_so", unit="người"),
    Column("giá", "decimal(9,2)", ascii="gia"),
    Column("mở", "boolean", ascii="mo"),
    Column("ngày", "date", ascii="ngay"),
    Column("lúc", "timestamp", ascii="luc"),
    Column("nhãn", "list<string>", ascii="nhan"),
]
ROWS = [
    (1, "Láng", 100, "1.50", True, dt.date(2026, 1, 1), ["a", "b"]),
    (2, "Đống Đa", 200, "2.50", False, dt.date(2026, 1, 2), ["b"]),
    (3, "Hồ Gươm", 300, "3.50", None, dt.date(2026, 1, 3), []),
    (4, 'Chợ "Hôm", Trần', None, "4.50", True, dt.date(2026, 1, 4), None),
    (5, "ô(1)", 500, "5.50", True, dt.date(2026, 1, 5), ["c,d"]),
]


@pytest.fixture(scope="module")
def places(lake):
    schema = to_arrow(COLUMNS)
    rows = [
        {
            "mã": code, "tên": name, "dân số": people, "giá": Decimal(price), "mở": is_open,
            "ngày": day, "nhãn": labels,
            "lúc": dt.datetime(day.year, day.month, day.day, 5, tzinfo=dt.UTC),
        }
        for code, name, people, price, is_open, day, labels in ROWS
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=schema)
    lake.table("places").publish(table.to_batches(), Provenance(), schema=schema)


@pytest.fixture(autouse=True)
def open_places(portal, places):
    for tables in portal.tables.values():
        tables["places"] = permit()
    portal.change()


@pytest.fixture
def client(gateway):
    with SyncPostgrestClient(f"{gateway.url}/v1/rest", headers={}) as client:
        yield client


def codes(data) -> list[int]:
    return [row["mã"] for row in data]


FILTERS = [
    (lambda q: q.eq("tên", "Đống Đa"), [2]),
    (lambda q: q.eq("ten", "Đống Đa"), [2]),
    (lambda q: q.eq("tên", 'Chợ "Hôm", Trần'), [4]),
    (lambda q: q.neq("mã", 3), [1, 2, 4, 5]),
    (lambda q: q.gt("dân số", 200), [3, 5]),
    (lambda q: q.gte("dan_so", 200).lte("dan_so", 300), [2, 3]),
    (lambda q: q.lt("giá", "2.51"), [1, 2]),
    (lambda q: q.like("tên", "%Đa"), [2]),
    (lambda q: q.ilike("tên", "*gươm*"), [3]),
    (lambda q: q.filter("tên", "match", "^(Láng|Hồ)"), [1, 3]),
    (lambda q: q.filter("tên", "imatch", "^láng$"), [1]),
    (lambda q: q.in_("tên", ["Láng", 'Chợ "Hôm", Trần', "ô(1)"]), [1, 4, 5]),
    (lambda q: q.in_("mã", []), []),
    (lambda q: q.is_("dân số", None), [4]),
    (lambda q: q.not_.is_("dân số", None), [1, 2, 3, 5]),
    (lambda q: q.is_("mở", True), [1, 4, 5]),
    (lambda q: q.filter("dân số", "isdistinct", 100), [2, 3, 4, 5]),
    (lambda q: q.contains("nhãn", ["b"]), [1, 2]),
    (lambda q: q.contains("nhãn", ["c,d"]), [5]),
    (lambda q: q.contained_by("nhãn", ["a", "b"]), [1, 2, 3]),
    (lambda q: q.overlaps("nhãn", ["a", "c,d"]), [1, 5]),
    (lambda q: q.or_('mã.eq.1,tên.eq."ô(1)"'), [1, 5]),
    (lambda q: q.or_("mã.gt.4,and(mã.gte.2,mã.lt.4,not.or(mở.is.false,mã.eq.9))"), [3, 5]),
    (lambda q: q.not_.or_("mã.eq.1,mã.in.(2,3)"), [4, 5]),
    (lambda q: q.match({"mã": 1, "mở": "true"}), [1]),
    (lambda q: q.like_any_of("tên", "Láng,Hồ*"), [1, 3]),
    (lambda q: q.ilike_all_of("tên", "*ồ*,*ươm"), [3]),
    (lambda q: q.filter("mã", "eq(any)", "{1,2}"), [1, 2]),
    (lambda q: q.text_search("tên", "dong da"), [2]),
    (lambda q: q.text_search("tên", '"ho guom" -lang', {"type": "web_search"}), [3]),
    (lambda q: q.eq("ngày", "2026-01-03"), [3]),
    (lambda q: q.gte("lúc", "2026-01-04T12:00:00+07:00"), [4, 5]),
    (lambda q: q.eq("mở", False), [2]),
]


@pytest.mark.parametrize(("narrowed", "found"), FILTERS)
def test_filters_of_the_client(client, narrowed, found):
    assert codes(narrowed(client.from_("places").select("*")).order("mã").execute().data) == found


def test_order_limit_range_and_count(client):
    def ask(**more):
        return client.from_("places").select("mã", **more)

    ordered = ask().order("dân số", desc=True, nullsfirst=False).order("mã").execute()
    assert codes(ordered.data) == [5, 3, 2, 1, 4]
    # As PostgreSQL: NULL is the largest.
    assert codes(ask().order("dân số", desc=True).limit(2).execute().data) == [4, 5]
    assert codes(ask().order("mã").range(1, 2).execute().data) == [2, 3]
    for how in ("exact", "planned", "estimated"):
        counted = ask(count=how).order("mã").range(0, 1).execute()
        assert codes(counted.data) == [1, 2]
        assert counted.count == 5
    filtered = ask(count="exact").gt("mã", 2).limit(1).execute()
    assert filtered.count == 3
    only = ask(count="exact", head=True).execute()
    assert only.count == 5


def test_select_with_names_types_and_aggregates(client):
    row = client.from_("places").select("ten, code:mã::text, dan_so").eq("mã", 1).execute().data[0]
    assert row == {"ten": "Láng", "code": "1", "dan_so": 100}
    summed = client.from_("places").select("mở, n:count(), giá.sum()").order("mở").execute().data
    assert [(each["mở"], each["n"]) for each in summed] == [(False, 1), (True, 3), (None, 1)]
    assert float(summed[1]["sum"]) == 11.5


NAMED_ALIKE = [
    ("select=code::text&order=code", ["1", "2", "3", "10", "11"]),
    ("select=code:name&order=code.desc", ["a", "b", "a", "b", "a"]),
    ("select=code:name,name:code&order=name,code.desc&limit=3", ["a", "a", "a"]),
]


@pytest.fixture
def codes_table(lake, portal):
    rows = pa.table(
        {
            "code": pa.array([1, 2, 3, 10, 11], pa.int64()),
            "name": [*"ababa"],
            "at": pa.array(
                [dt.datetime(2026, 1, 1 + hour // 3, hour, tzinfo=dt.UTC) for hour in range(5)],
                pa.timestamp("us", "UTC"),
            ),
        }
    )
    if not lake.table("codes").exists():
        lake.table("codes").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    portal.tables[None]["codes"] = permit()
    portal.change()


@pytest.mark.usefixtures("codes_table")
@pytest.mark.parametrize(("query", "found"), NAMED_ALIKE)
def test_order_is_by_the_table_s_column_whatever_the_answer_calls_it(gateway, query, found):
    answer = gateway.get(f"/v1/rest/codes?{query}").json()
    assert [row["code"] for row in answer] == found


@pytest.mark.usefixtures("codes_table")
def test_keyset_pages_of_a_cast_column_hold_every_row(gateway):
    seen, after = [], ""
    while page := gateway.get(f"/v1/rest/codes?select=code::text&order=code&limit=2{after}").json():
        seen += [row["code"] for row in page]
        after = f"&after={seen[-1]}"
    assert seen == ["1", "2", "3", "10", "11"]


@pytest.mark.usefixtures("codes_table")
def test_groups_are_of_what_is_selected(gateway):
    def ask(query):
        return gateway.get(f"/v1/rest/codes?{query}").json()

    assert ask("select=day:at::date,n:count()&order=at.desc") == [
        {"day": "2026-01-02", "n": 2},
        {"day": "2026-01-01", "n": 3},
    ]
    assert ask("select=name,code:code.sum()&order=code")["parameter"] == "order"
    cast = ask("select=day:at::date,n:count()&order=at&after=2026-01-01")
    assert (cast["code"], cast["parameter"]) == ("filter_invalid", "after")
    assert ask("select=name,n:count()&order=name&after=a") == [{"name": "b", "n": 2}]


def test_single_maybe_single_and_csv(client):
    one = client.from_("places").select("mã,tên").eq("mã", 3).single().execute()
    assert one.data == {"mã": 3, "tên": "Hồ Gươm"}
    for narrowed in (lambda q: q.gt("mã", 2), lambda q: q.gt("mã", 99)):
        with pytest.raises(APIError) as refused:
            narrowed(client.from_("places").select("*")).single().execute()
        assert refused.value.code == "not_singular"
    first = client.from_("places").select("mã").order("mã", desc=True).limit(1).single().execute()
    assert first.data == {"mã": 5}
    with pytest.raises(APIError, match="more than one row"):
        client.from_("places").select("mã").limit(2).single().execute()
    with pytest.raises(APIError, match="no row"):
        client.from_("places").select("mã").limit(0).single().execute()
    assert client.from_("places").select("*").eq("mã", 99).maybe_single().execute() is None
    found = client.from_("places").select("mã").eq("mã", 2).maybe_single().execute()
    assert found.data == {"mã": 2}
    text = client.from_("places").select("mã,tên").order("mã").limit(2).csv().execute().data
    assert text == '"mã","tên"\n1,"Láng"\n2,"Đống Đa"\n'


def test_the_client_is_told_what_is_wrong(client, gateway):
    with pytest.raises(APIError) as refused:
        client.from_("places").select("*").eq("teen", 1).execute()
    assert (refused.value.code, refused.value.message) == (
        "column_unknown",
        "places has no column teen",
    )
    with pytest.raises(APIError, match="sign_in_required"):
        client.from_("secret").select("*").execute()
    with SyncPostgrestClient(
        f"{gateway.url}/v1/rest", headers={"Authorization": f"Bearer {STARTUP}"}
    ) as mine:
        assert mine.from_("secret").select("*").execute().data


PROBLEMS = [
    ("mã=5", "mã", 0, "filter_invalid"),
    ("mã=near.5", "mã", 0, "filter_invalid"),
    ("mã=eq.abc", "mã", 0, "filter_invalid"),
    ("mã=eq.9223372036854775808", "mã", 0, "filter_invalid"),
    ("ngày=gt.2026-13-01", "ngày", 0, "filter_invalid"),
    ("mở=eq.maybe", "mở", 0, "filter_invalid"),
    ("nhãn=eq.a", "nhãn", 0, "filter_invalid"),
    ("tên=cs.{a}", "tên", 0, "filter_invalid"),
    ("tên=in.(a,b", "tên", 7, "filter_invalid"),
    ("or=(mã.eq.1,tên.eq.2", "or", 17, "filter_invalid"),
    ("or=(mã.eq.1)x", "or", 9, "filter_invalid"),
    ("or=(mã.eq.1,không.eq.2)", "or", 15, "column_unknown"),
    ("select=mã,không", "select", 3, "column_unknown"),
    ("select=mã::int;DROP", "select", 0, "filter_invalid"),
    ("select=mã,wards(*)", "select", 3, "filter_invalid"),
    ("order=mã.up", "order", 5, "filter_invalid"),
    ("limit=-1", "limit", 0, "filter_invalid"),
    ("order=mã&after=1,2", "after", 0, "filter_invalid"),
    ("or=" + "(and" * 30, "or", 80, "filter_invalid"),
]


@pytest.mark.parametrize(("query", "parameter", "position", "code"), PROBLEMS)
def test_problem_says_which_parameter_and_where(gateway, query, parameter, position, code):
    answer = gateway.get(f"/v1/tables/places/rows?{query}")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, code), problem
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["parameter"] == parameter
    assert problem["message"] == problem["detail"]
    assert problem["position"] == position


def test_range_header(gateway):
    def ask(said, prefer=""):
        headers = {"Range-Unit": "items", "Range": said, "Prefer": prefer}
        return gateway.get("/v1/tables/places/rows?select=mã&order=mã", headers=headers)

    part = ask("1-2")
    assert (part.status_code, part.headers["Content-Range"]) == (206, "1-2/*")
    assert codes(part.json()) == [2, 3]
    counted = ask("0-1", "count=exact")
    assert (counted.status_code, counted.headers["Content-Range"]) == (206, "0-1/5")
    assert counted.headers["Preference-Applied"] == "count=exact"
    whole = ask("0-9", "count=exact")
    assert (whole.status_code, whole.headers["Content-Range"]) == (200, "0-4/5")
    beyond = ask("20-29", "count=exact")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "*/5")
    assert ask("4-").json() == [{"mã": 5}]


RANGES = [
    ("limit=5", "0-2", [1, 2, 3]),
    ("limit=2", "1-8", [2]),
    ("offset=3", "0-3", [4]),
    ("offset=1&limit=2", "2-", [3]),
    ("limit=0", "3-8", []),
]


@pytest.mark.parametrize(("query", "said", "found"), RANGES)
def test_a_range_is_of_all_rows_and_meets_limit_and_offset(gateway, query, said, found):
    path = f"/v1/rest/places?select=ma&order=ma&{query}"
    answer = gateway.get(path, headers={"Range": said})
    assert [row["ma"] for row in answer.json()] == found
    if found:
        assert answer.headers["Content-Range"] == f"{found[0] - 1}-{found[-1] - 1}/*"


def test_a_range_beside_the_limit_is_refused_and_none_of_head(gateway):
    path = "/v1/rest/places?limit=2"
    assert gateway.get(path, headers={"Range": "3-8"}).status_code == 416
    headers = {"Range": "3-8", "Prefer": "count=exact"}
    head = gateway.request("HEAD", path, None, headers=headers)
    assert (head.status_code, head.headers["Content-Range"]) == (206, "0-1/5")


def test_head_has_the_tag_and_type_of_get(gateway):
    for path in ("/v1/rest/places?limit=2", "/v1/rest/places?format=csv&limit=200000"):
        for headers in ({}, {"Prefer": "count=exact"}):
            got = gateway.get(path, headers=dict(headers))
            head = gateway.request("HEAD", path, None, headers=dict(headers))
            assert head.headers["ETag"] == got.headers["ETag"]
            assert head.headers["Content-Type"] == got.headers["Content-Type"]
            assert "Content-Length" not in head.headers


def test_a_long_answer_says_how_far_its_limit_reaches(gateway, lake, portal):
    many = pa.table({"n": pa.array(range(250_000), pa.int64())})
    if not lake.table("many").exists():
        lake.table("many").publish(many.to_batches(), Provenance(), schema=many.schema)
    portal.tables[None]["many"] = permit()
    portal.change()

    def ask(query, said=None):
        answer = gateway.get(f"/v1/rest/many?{query}", headers={"Range": said} if said else {})
        told = (answer.headers["Content-Range"], answer.headers["Hanoiic-Truncated"])
        return answer.status_code, len(answer.json()), *told

    assert ask("order=n", "0-149999") == (206, 150_000, "0-149999/*", "true")
    assert ask("limit=150000") == (200, 150_000, "0-149999/*", "true")
    assert ask("limit=150000&offset=150000") == (200, 100_000, "150000-249999/*", "false")
    assert ask("limit=150000&n=gte.99999") == (200, 150_000, "0-149999/*", "true")
    assert ask("limit=150000&n=gte.100000") == (200, 150_000, "0-149999/*", "false")
    assert ask("limit=150000&order=n&after=199999") == (200, 50_000, "0-49999/*", "false")
    assert ask("limit=200000&select=n,count()&order=n.desc") == (
        200, 200_000, "0-199999/*", "true"
    )  # fmt: skip


def test_another_count_is_another_tag(gateway):
    def tag(how):
        return gateway.get("/v1/rest/places", headers={"Prefer": f"count={how}"}).headers["ETag"]

    assert len({tag("exact"), tag("planned"), gateway.get("/v1/rest/places").headers["ETag"]}) == 3


def test_keyset_pages_hold_every_row_once(gateway):
    seen, after = [], ""
    while True:
        page = gateway.get(
            f"/v1/tables/places/rows?select=mở,mã&mở=not.is.null&order=mở.desc,mã.asc&limit=2{after}"
        ).json()
        seen += page
        if len(page) < 2:
            break
        after = f"&after={str(page[-1]['mở']).lower()},{page[-1]['mã']}"
    assert [(row["mở"], row["mã"]) for row in seen] == [
        (True, 1), (True, 4), (True, 5), (False, 2)
    ]  # fmt: skip


NULLS = [("", ""), (".nullsfirst", ""), (".desc", ""), (".desc.nullslast", ".desc")]


@pytest.mark.parametrize("column", ["number", "word"])
@pytest.mark.parametrize(("first", "second"), NULLS)
def test_keyset_pages_pass_null_and_the_empty_text(gateway, lake, portal, column, first, second):
    rows = pa.table(
        {
            "id": pa.array(range(9), pa.int64()),
            "number": pa.array([3, None, 1, 3, None, 2, 0, None, 1], pa.int64()),
            "word": ["", None, "null", "", "null", None, "a", "b,c", None],
        }
    )
    if not lake.table("gaps").exists():
        lake.table("gaps").publish(rows.to_batches(), Provenance(), schema=rows.schema)
    portal.tables[None]["gaps"] = permit()
    portal.change()

    def ask(**more):
        said = {"select": f"{column},id", "order": f"{column}{first},id{second}", **more}
        return gateway.get(f"/v1/rest/gaps?{urlencode(said)}").json()

    seen, page = [], ask(limit=1)
    while page and len(seen) < 20:
        seen += page
        # As JSON writes them: a text in quotation marks, NULL as null.
        key = ",".join(json.dumps(page[-1][each]) for each in (column, "id"))
        page = ask(limit=1, after=key)
    assert seen == ask()
    assert len(seen) == 9


def test_after_an_empty_text_and_without_a_value(gateway, places):
    assert codes(gateway.get("/v1/rest/places?order=ten&after=&limit=1").json()) == [4]
    wrong = gateway.get("/v1/rest/places?order=ma&after=").json()
    assert (wrong["code"], wrong["parameter"]) == ("filter_invalid", "after")


def test_rows_have_versions_formats_tags_and_units(gateway):
    answer = gateway.get("/v1/tables/bus_stops/rows?as_of=1&select=mã")
    assert codes(answer.json()) == [1, 2]
    assert answer.headers["Hanoiic-Table-Versions"] == "bus_stops=1"
    held = {"If-None-Match": answer.headers["ETag"]}
    again = gateway.get("/v1/tables/bus_stops/rows?as_of=1&select=mã", headers=held)
    assert again.status_code == 304
    envelope = gateway.get("/v1/tables/places/rows?select=people:dan_so&format=ndjson")
    assert envelope.text.splitlines()[0] == '{"people":100}'
    assert "ng\\u01b0\\u1eddi" in envelope.headers["Hanoiic-Columns"]
    refused = gateway.request("POST", "/v1/rest/places", None, json={})
    assert (refused.status_code, refused.json()["message"]) == (405, refused.json()["detail"])
    assert gateway.get("/v1/rest/hidden").json()["code"] == "table_not_found"
