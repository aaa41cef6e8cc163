"""Whatever a source sends: a named error, within its caps, and nothing is published."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from harvesters.errors import HarvestError
from harvesters.fetch import Client, FetchLimits
from lake.store import Lake
from tests.harvesters.conftest import rows
from tests.harvesters.hostile.caps import within_caps
from tests.harvesters.hostile.case import Case
from tests.harvesters.hostile.files import FILES, sheet
from tests.harvesters.taking import Taken, Taking

CASES = [*FILES]
LIMITS = FetchLimits(connect_timeout_s=2, read_timeout_s=10, total_s=60, retries=1, backoff_s=0.01)


@pytest.fixture
def client(tmp_path: Path, httpserver: HTTPServer) -> Iterator[Client]:
    client = Client(tmp_path / "raw", [f"localhost:{httpserver.port}"], LIMITS)
    yield client
    client.close()


def address(case: Case, server: HTTPServer) -> str:
    """Where the case is served."""
    if case.served is not None:
        return case.served(server)
    assert case.content is not None
    content = case.content()
    body = (content,) if isinstance(content, bytes) else content
    answer = Response(chain(body), direct_passthrough=True)
    server.expect_request("/hostile").respond_with_response(answer)
    return server.url_for("/hostile")


def test_the_corpus_has_names_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_ends_in_its_named_error(
    case: Case, taken: Taking, httpserver: HTTPServer, lake: Lake
) -> None:
    url = address(case, httpserver)
    with within_caps():
        ran: Taken = taken(case.kind, url=url, **case.options)
    assert isinstance(ran.error, HarvestError)
    assert ran.code in case.codes, ran.error
    assert ran.error.detail
    assert lake.tables() == []


FORMULAS = ["=1+1", "=cmd|'/c calc'!A1", "@SUM(1)", '=HYPERLINK("http://127.0.0.1/")', "+1-1"]


def test_formulas_in_a_text_are_texts(taken, lake):
    lines = "".join('"{}",x\n'.format(formula.replace('"', '""')) for formula in FORMULAS)
    assert taken("csv", f"công thức,b\n{lines}").error is None
    assert [row["công thức"] for row in rows(lake, "t")] == FORMULAS


def test_a_formula_of_a_workbook_gives_the_value_it_was_saved_with(taken, lake):
    cells = (
        '<row r="1"><c r="A1" t="str"><v>a</v></c><c r="B1" t="str"><v>b</v></c></row>'
        '<row r="2"><c r="A2"><f>1+1</f><v>7</v></c><c r="B2" t="str"><f>EXEC("x")</f><v>y</v></c>'
        "</row>"
    )
    assert taken("excel", sheet(cells)).error is None
    assert rows(lake, "t") == [{"a": 7, "b": "y"}]
