"""The interface as a document: it names every page, it is true, and it can be tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from api_gateway.asked import SQL_FIELDS
from api_gateway.described import OPERATIONS, SQL_BODY
from api_gateway.routes import openapi

# How many made-up requests a page gets; `make fuzz-gateway` asks for more.
EXAMPLES = int(os.environ.get("HANOIIC_FUZZ_REQUESTS", "2"))
# SQL and filters are languages of their own: no schema says which text of theirs is right.
NOT_CHECKED = "positive_data_acceptance"


@pytest.fixture(scope="module")
def document(running_gateway):
    answer = running_gateway.get("/v1/openapi.json")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_page_is_in_the_document_with_words_and_errors(document):
    assert document["openapi"] == "3.1.0"
    paths = document["paths"]
    assert set(paths) >= {
        "/v1/sql", "/v1/queries/{query_id}", "/v1/tables", "/v1/tables/{table}",
        "/v1/tables/{table}/rows", "/v1/rest/{table}", "/v1/tables/{table}/download.{format_name}",
        "/v1/tables/{table}/links", "/v1/files/{link}/{name}", "/v1/exports",
        "/v1/exports/{export_id}", "/v1/exports/{export_id}/{file_name}", "/v1/receipts/keys",
        "/v1/share/shares/{share}/schemas/{schema}/tables/{table}/query",
    }  # fmt: skip
    operations = [each for path in paths.values() for each in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    for each in operations:
        assert each["summary"]
        assert "application/problem+json" in each["responses"]["4XX"]["content"]
    codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert {"filter_invalid", "table_not_found", "rate_limited"} <= set(codes)


def test_what_is_described_is_what_there_is(document):
    assert set(SQL_BODY["properties"]) == set(SQL_FIELDS)
    described = {
        re.sub(r"_\d$", "", each["operationId"])
        for path in document["paths"].values()
        for each in path.values()
    }
    assert {endpoint.replace(".", "_") for endpoint in OPERATIONS} <= described


def test_generators_of_clients_can_read_every_schema(document):
    """They leave a whole operation out where values of one enum are of several types, or where
    nothing is said of an array's items."""
    schemas = [each for each in _dicts(document) if "enum" in each or "array" in str(each["type"])]
    assert len(schemas) > 30
    for each in schemas:
        values = [value for value in each.get("enum", ()) if value is not None]
        assert len({type(value) for value in values}) <= 1, each
        assert each.get("type") != "array" or "items" in each, each


def _dicts(value):
    """Every schema below, and whatever else has a type."""
    if isinstance(value, list):
        return [found for each in value for found in _dicts(each)]
    if not isinstance(value, dict):
        return []
    own = [value] if "enum" in value or "type" in value else []
    return own + [found for each in value.values() for found in _dicts(each)]


def test_no_caller_fills_the_memory_with_documents_for_made_up_hosts(running_gateway):
    for number in range(10):
        host = f"h{number}.example"
        told = running_gateway.get("/v1/openapi.json", headers={"Host": host}).json()
        assert host in told["servers"][0]["url"]
    assert openapi._document.cache_info().maxsize < 10


def test_the_page_to_try_it_needs_no_other_server(running_gateway):
    page = running_gateway.get("/v1/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for found in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert "//" not in found
        assert running_gateway.get(f"/v1/{found}").status_code == 200, found
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    missing = running_gateway.get("/v1/docs/oauth2-redirect.html")
    assert missing.json()["code"] == "not_found"


def test_made_up_requests_are_answered_as_the_document_says(gateway, tmp_path):
    # A query may take too long, and a gateway be busy: that is an answer, and no mistake of it.
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        '[checks]\nnot_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503", "504"]\n'
    )
    command = [
        str(os.path.join(os.path.dirname(sys.executable), "schemathesis")),  # noqa: PTH118, PTH120
        "--config-file", str(config), "run", f"{gateway.url}/v1/openapi.json", "--url", gateway.url,
        "--checks", "all", "--exclude-checks", NOT_CHECKED,
        "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing",
        "--generation-deterministic", "--no-color",
        "--suppress-health-check", "all", "--request-timeout", "60", "--continue-on-failure",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    failures = done.stdout.partition("= FAILURES =")[2].partition("= WARNINGS =")[0]
    assert done.returncode == 0, failures[:8000] or done.stdout[-2000:] + done.stderr
