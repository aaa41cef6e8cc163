"""`POST /v1/exports`: an answer made while nobody waits, kept for a day and fetched at leisure."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, cast

from flask import Blueprint, Response, current_app, jsonify

from api_gateway import asked, attribution
from api_gateway.asked import AsOf
from api_gateway.decisions import fingerprint
from api_gateway.errors import AccessDenied, BadRequest, ExportNotReady
from api_gateway.exchange import Caller
from api_gateway.exporter import Exporter
from api_gateway.exports import Export
from api_gateway.formats import media_type
from api_gateway.gate import Statement
from api_gateway.routes import accepted, body, caller, gateway, public_url
from api_gateway.routes.answering import describe, limited
from api_gateway.routes.stored import stored
from api_gateway.visit import Visit
from lake import logs

pages = Blueprint("exports", __name__)


@pages.post("/v1/exports")
def add() -> tuple[Response, int]:
    """Queue an export: the body of `POST /v1/sql`. What may not be read is refused at once.

    Repeated with the same `Idempotency-Key` it is the same export, whatever became of it.
    """
    told, parts, who = body(), gateway(), caller()
    wanted = asked.from_body(told, accepted())
    if wanted.dry_run:
        raise BadRequest("a dry run needs no export: POST /v1/sql", parameter="dry_run")
    visit = parts.visit("export", "query", parts.reader.read(wanted.sql, who.name), wanted, who)
    # Fix the versions now: they are read however late the export is made.
    versions = {each.table: each.version.number for each in visit.shelved}
    export = _exporter().exports.add(
        who.token,
        owner=fingerprint(who.token),
        body={**told, "format": wanted.format, "as_of": versions or None, "limit": wanted.limit},
        key=_digest(who.idempotency_key) if who.idempotency_key else None,
        asked=_digest(json.dumps({**told, "format": wanted.format}, sort_keys=True)),
        tables=visit.tables,
        file_name=f"export_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{wanted.format}",
        reached_at=public_url(),
        address=who.address,
        request_id=logs.request_id(),
        attribution=attribution.text(visit.shelved),
    )
    _exporter().wake()
    response = jsonify(_shown(export))
    response.headers["Location"] = _url(export)
    if export.finished_at is not None:
        return response, 200
    response.headers["Retry-After"] = "2"
    return response, 202


@pages.get("/v1/exports")
def listed() -> Response:
    """The caller's exports, the newest first. Without a token: none, as they go by their ids."""
    owner = _owner(caller())
    mine = [each for each in _exporter().exports.all() if owner and each.owner == owner]
    return _private({"exports": [_shown(each) for each in reversed(mine)]})


@pages.get("/v1/exports/<export_id>")
def shown(export_id: str) -> Response:
    """How far an export is, and where its result lies."""
    export = _of(export_id, caller())
    response = _private(_shown(export))
    if export.finished_at is None:
        response.headers["Retry-After"] = "2"
    return response


@pages.delete("/v1/exports/<export_id>")
def cancel(export_id: str) -> tuple[str, int]:
    """Stop an export that is not finished, or delete the result of one that is."""
    _exporter().cancel(_of(export_id, caller()))
    return "", 204


@pages.get("/v1/exports/<export_id>/<file_name>")
def result(export_id: str, file_name: str) -> Response:
    """The result, resumable. Whether the caller may read its tables is asked again."""
    who = caller()
    export = _of(export_id, who)
    if export.state != "ready" or file_name != export.file_name:
        raise ExportNotReady(f"the export is {export.state}", state=export.state)
    visit = _permitted(export, who)
    response = stored(
        _exporter().exports.path(export_id) / "result",
        visit,
        who,
        media_type=media_type(export.body["format"]),
        name=export.file_name,
        tag=export.id,
        modified=datetime.fromtimestamp(export.finished_at or 0, UTC),
    )
    describe(response, visit.shelved)
    limited(response, export.body.get("limit"), truncated=bool(export.truncated))
    if export.receipt:
        response.headers["Hanoiic-Receipt"] = export.receipt
    return response


def _permitted(export: Export, who: Caller) -> Visit:
    """Ask again whether the caller may have the result. Raises AccessDenied, also when the caller
    now reads other editions than those the result was made of."""
    pinned = asked.Asked(
        format=export.body["format"], as_of=AsOf(by_table=export.body["as_of"] or {})
    )
    statement = Statement(export.body["sql"], export.tables)
    visit = gateway().visit("export", "query", statement, pinned, who)
    read = (export.read_editions or {}).items()
    for each in visit.shelved:
        if (each.table, each.decision.edition) not in read:
            raise AccessDenied(table=each.table, reason="edition_changed")
    return visit


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _exporter() -> Exporter:
    return cast(Exporter, current_app.extensions["hanoiic_exporter"])


def _of(export_id: str, who: Caller) -> Export:
    return _exporter().exports.of(export_id, _owner(who))


def _owner(who: Caller) -> str:
    """Under what the caller's exports are kept. Raises TokenInvalid: what was made with a token
    ends with it."""
    if who.token is not None:
        gateway().decide(who, (), "describe")
    return fingerprint(who.token)


def _url(export: Export) -> str:
    return f"{public_url()}/v1/exports/{export.id}"


def _shown(export: Export) -> dict[str, Any]:
    ready = export.state == "ready"
    return {
        "id": export.id,
        "state": export.state,
        "url": _url(export),
        "result_url": f"{_url(export)}/{export.file_name}" if ready else None,
        "format": export.body["format"],
        "versions": export.body["as_of"] or {},
        "attribution": export.attribution,
        "progress": {"rows": export.row_count, "bytes": export.byte_count},
        "truncated": export.truncated,
        "created_at": _instant(export.created_at),
        "started_at": _instant(export.started_at),
        "finished_at": _instant(export.finished_at),
        "expires_at": _instant(export.expires_at),
        "receipt": export.receipt,
        "error": export.error,
    }


def _instant(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _private(content: dict[str, Any]) -> Response:
    response = jsonify(content)
    response.headers["Cache-Control"] = "private, no-store"
    return response
