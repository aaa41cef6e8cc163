"""The demo departments with the real files: every tabular one is harvested to a sensible table."""

from __future__ import annotations

import pytest
import requests

from tests.e2e.conftest import REAL_DATA

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.realdata,
    pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the folder of real data is not here"),
]


def test_every_real_tabular_file_is_published_and_can_be_queried(stack):
    sources = requests.get(f"{stack.departments_url}/sources.json", timeout=30).json()["sources"]
    real = [source for source in sources if "/files/" in source["url"]]
    assert len(real) >= 15
    for source in real:
        shown = stack.call("hanoiic_source_show", "officer", id=source["name"])
        last = stack.call("hanoiic_run_show", "officer", id=shown["last_run"]["id"])
        assert last["state"] in {"published", "unchanged"}, (source["name"], last["error"])
        for table in last["tables"]:
            answer = stack.sql(
                f'SELECT count(*) AS n FROM "{table["table"]}"',
                token=stack.user("officer")["gateway_token"],
            )
            assert answer.status_code == 200, (source["name"], answer.text)
            assert answer.json()["rows"][0]["n"] == table["row_count"] > 0


def test_wards_of_three_encodings_are_the_same_rows(stack):
    """UTF-8, UTF-16 with tabs, windows-1258 with decimal comma: one content."""
    sources = requests.get(f"{stack.departments_url}/sources.json", timeout=30).json()["sources"]
    tables = [
        source["dataset"]["table"]
        for source in sources
        if "wards-2025-list" in source["url"] or "DERIVED-wards" in source["url"]
    ]
    assert len(tables) == 3
    token = stack.user("officer")["gateway_token"]
    answers = []
    for table in tables:
        described = stack.gateway("GET", f"/v1/tables/{table}", token).json()
        names = [column["name"] for column in described["columns"]]
        order = ", ".join(str(number) for number in range(1, len(names) + 1))
        answer = stack.sql(f"SELECT * FROM {table} ORDER BY {order}", token=token)
        answers.append([list(row.values()) for row in answer.json()["rows"]])
    assert len(answers[0]) == 126
    assert answers[0] == answers[1] == answers[2]
