"""`GET /v1/sql?q=…` and `POST /v1/sql`: one SELECT over the tables the caller may read."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest as NotJson

from api_gateway import asked
from api_gateway.errors import BadRequest
from api_gateway.routes import caller, gateway
from api_gateway.routes.answering import streamed

pages = Blueprint("sql", __name__)


@pages.get("/v1/sql")
def get() -> Response:
    """For a link or a curl without a body."""
    wanted = asked.from_query(request.args, request.accept_mimetypes)
    return streamed(gateway().query(wanted, caller()))


@pages.post("/v1/sql")
def post() -> Response:
    """A JSON body, whatever its content type says."""
    try:
        body = request.get_json(force=True)
    except (NotJson, RecursionError):
        raise BadRequest("the body is not JSON") from None
    wanted = asked.from_body(body, request.accept_mimetypes)
    return streamed(gateway().query(wanted, caller()))
