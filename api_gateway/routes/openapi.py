"""`GET /v1/openapi.json`: the interface in OpenAPI 3.1, made from the routes, their words and their
errors. `GET /v1/docs`: a page to try it, with everything it needs on this server."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from typing import Any

from apispec import APISpec
from flask import Blueprint, Response, current_app, jsonify, send_from_directory

from api_gateway.described import OPERATIONS, PARAMETERS, PATH
from api_gateway.errors import PROBLEM_TYPE, kinds
from api_gateway.routes import public_url

pages = Blueprint("openapi", __name__)

_IN_PATH = re.compile(r"<(?:\w+:)?(\w+)>")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ELSEWHERE = frozenset({"openapi"})
# In this order on the page; groups that are not named follow.
_GROUPS = ("sql", "tables", "rows", "downloads", "files", "exports", "share", "receipts", "index")
_ASSETS = frozenset(
    {"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "favicon-16x16.png"}
)
# Swagger UI writes styles into its elements; scripts and requests are this server's alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Thử cổng truy vấn · Try the query gateway</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="swagger-ui"></main>
<noscript>Trang này cần JavaScript; đặc tả ở <a href="openapi.json">openapi.json</a>.
This page needs JavaScript; the specification is at openapi.json.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: -1,
  validatorUrl: null,
});
"""
_ABOUT = """Truy vấn SQL, dòng dữ liệu, tệp và bản xuất trên dữ liệu mở của Hà Nội, theo giấy phép
của từng bảng. Bảng mở không cần mã truy cập; bảng khác cần `Authorization: Bearer hic_…` từ trang
của bạn trên cổng dữ liệu.

SQL, rows, files and exports over Hanoi's open data, under each table's licence. Open tables need
no token; others need `Authorization: Bearer hic_…` from your page of the portal. Every error is
`application/problem+json` (RFC 9457) with a stable `code`."""


@pages.get("/v1/openapi.json")
def specification() -> Response:
    """This document."""
    response = jsonify(_document(public_url()))
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@pages.get("/v1/docs")
def docs() -> Response:
    """A page to try the interface."""
    return _page(_PAGE, "text/html; charset=utf-8")


@pages.get("/v1/docs/start.js")
def start() -> Response:
    """Opens the specification on the page."""
    return _page(_START, "text/javascript; charset=utf-8")


@pages.get("/v1/docs/<name>")
def asset(name: str) -> Response:
    """Swagger UI's own files, as its wheel has them."""
    if name not in _ASSETS:
        current_app.aborter(404)
    folder = str(resources.files("flask_swagger_ui") / "dist")
    response = send_from_directory(folder, name, max_age=86_400)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _page(text: str, media_type: str) -> Response:
    response = Response(text, content_type=media_type)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


# By a header that anybody may send.
@lru_cache(maxsize=4)
def _document(base: str) -> dict[str, Any]:
    spec = APISpec(
        title="Cổng truy vấn dữ liệu mở Hà Nội · Hanoi open-data query gateway",
        version="1",
        openapi_version="3.1.0",
        info={"description": _ABOUT, "license": {"name": "AGPL-3.0-or-later"}},
        servers=[{"url": base}],
        security=[{}, {"token": []}],
        tags=[{"name": name} for name in _GROUPS],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", _problem())
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda rule: str(rule)):
        blueprint = rule.endpoint.partition(".")[0]
        if blueprint not in _ELSEWHERE and not str(rule).endswith("/v1/"):
            methods = [each for each in _METHODS if each in (rule.methods or ())]
            path = _IN_PATH.sub(r"{\1}", str(rule))
            operations = {each.lower(): _operation(rule, each, blueprint) for each in methods}
            spec.path(path=path, operations=operations)
    found: dict[str, Any] = spec.to_dict()
    return found


def _operation(rule: Any, method: str, blueprint: str) -> dict[str, Any]:
    said = OPERATIONS.get(rule.endpoint, {"answers": {"2XX": {"application/json": {}}}})
    words = (current_app.view_functions[rule.endpoint].__doc__ or "").strip()
    summary, _, more = words.partition("\n\n")
    answers = {
        str(status): {
            "description": "",
            **({"content": {kind: {"schema": schema} for kind, schema in content.items()}}
               if content else {}),
        }
        for status, content in said["answers"].items()
    }  # fmt: skip
    problem = {"$ref": "#/components/schemas/Problem"}
    for status in ("4XX", "5XX"):
        answers[status] = {
            "description": "What went wrong",
            "content": {PROBLEM_TYPE: {"schema": problem}},
        }
    operation: dict[str, Any] = {
        "operationId": f"{rule.endpoint.replace('.', '_')}{_suffix(rule)}",
        "summary": " ".join(summary.replace("`", "").split()),
        "tags": [blueprint],
        "parameters": [*_path_parameters(rule), *_address_parameters(said)],
        "responses": answers,
    }
    if more:
        operation["description"] = more
    if body := said.get("body"):
        content = {"application/json": {"schema": body}}
        operation["requestBody"] = {"required": "required" in body, "content": content}
    return operation


def _suffix(rule: Any) -> str:
    """One function may answer at two addresses."""
    same = list(current_app.url_map.iter_rules(rule.endpoint))
    index = sorted(str(each) for each in same).index(str(rule))
    return f"_{index + 1}" if len(same) > 1 else ""


def _path_parameters(rule: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": PATH.get(name, {"type": "string", "minLength": 1}),
        }
        for name in _IN_PATH.findall(str(rule))
    ]


def _address_parameters(said: dict[str, Any]) -> list[dict[str, Any]]:
    listed = said.get("parameters", ())
    named = listed if isinstance(listed, dict) else {name: name for name in listed}
    found = [
        {
            "name": name,
            "in": "query",
            "required": meaning == "q",
            "schema": PARAMETERS[meaning][0],
            "description": PARAMETERS[meaning][1],
        }
        for name, meaning in named.items()
    ]
    if said.get("filters"):
        found.append(
            {
                "name": "filters",
                "in": "query",
                "style": "form",
                "explode": True,
                "description": "`column=operator.value`, `and=(…)`, `or=(…)`",
                "schema": {"type": "object", "additionalProperties": {"type": "string"}},
            }
        )
    return found


def _problem() -> dict[str, Any]:
    """The body of every error, with the codes there are."""
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "enum": sorted(kinds())},
            "request_id": {"type": ["string", "null"]},
        },
    }
