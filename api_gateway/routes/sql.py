"""`GET /v1/sql?q=…` and `POST /v1/sql`: one SELECT over the tables the caller may read."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from api_gateway import asked
from api_gateway.asked import Asked
from api_gateway.errors import QueryNotFound
from api_gateway.routes import accepted, body, caller, gateway
from api_gateway.routes.answering import streamed
from lake import logs

pages = Blueprint("sql", __name__)


@pages.get("/v1/sql")
def get() -> Response:
    """The answer to SQL that stands in the address: for a link, or a curl without a body."""
    return _answered(asked.from_query(request.args, accepted()))


@pages.post("/v1/sql")
def post() -> Response:
    """The answer to SQL in a JSON body, whatever its content type says."""
    return _answered(asked.from_body(body(), accepted()))


@pages.delete("/v1/queries/<query_id>")
def cancel(query_id: str) -> tuple[str, int]:
    """End a running query of the same caller: its id is the `Hanoiic-Query-Id` that was
    sent or answered."""
    if not gateway().queries.cancel(query_id, caller().name):
        raise QueryNotFound(f"no query {query_id[:80]} of yours runs")
    return "", 204


def _answered(wanted: Asked) -> Response:
    if not wanted.dry_run:
        return streamed(gateway().query(wanted, caller(), sent=request.method != "HEAD"))
    plan = gateway().plan(wanted, caller())
    response = jsonify({"request_id": logs.request_id(), "dry_run": True, **plan})
    response.headers["Cache-Control"] = "private, no-store"
    return response
