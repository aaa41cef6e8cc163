"""`GET /v1/tables/<table>/download.<format>`: one version of a whole table."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from flask import Blueprint, Response, request, send_file

from api_gateway import asked
from api_gateway.errors import GatewayError
from api_gateway.formats import FORMATS
from api_gateway.meter import Visit
from api_gateway.query import Caller, whole
from api_gateway.routes import caller, gateway
from api_gateway.routes.answering import describe, streamed
from api_gateway.shelf import Shelved

pages = Blueprint("downloads", __name__)


@pages.get("/v1/tables/<table>/download.<format_name>")
def download(table: str, format_name: str) -> Response:
    """The version's own Parquet file where it is one, else made in the format asked for."""
    parts, who, name = gateway(), caller(), table.lower()
    wanted = asked.from_download(request.args, format_name)
    visit = parts.visit("file", "download", whole(name), wanted, who)
    (shelved,) = visit.shelved
    file_name = f"{name}_v{shelved.version.number}.{format_name}"
    if format_name == "parquet" and wanted.limit is None and len(shelved.source.files) == 1:
        return _stored(visit, who, file_name)
    response = streamed(parts.download(name, wanted, who))
    response.headers.set("Content-Disposition", "attachment", filename=file_name)
    return response


def _stored(visit: Visit, who: Caller, file_name: str) -> Response:
    """The file as it lies in the lake. Its ranges, and its repetitions of an hour, are one
    download: they are charged once."""
    (shelved,) = visit.shelved
    file = Path(shelved.source.files[0])
    response = send_file(
        file,
        mimetype=FORMATS["parquet"].media_type,
        as_attachment=True,
        download_name=file_name,
        conditional=True,
        etag=_tag(shelved),
        last_modified=shelved.version.published_at,
    )
    describe(response, visit.shelved)
    if request.method == "GET" and response.status_code < 300:
        parts = gateway()
        metered = parts.meter.begin(replace(visit, once=f"file of hour {int(time.time()) // 3600}"))
        try:
            metered.rows(shelved.version.row_count)
            metered.counted(file.stat().st_size)
        except GatewayError as error:
            response.close()
            metered.fail(error)
            raise
        if metered.receipt:
            response.headers["Hanoiic-Receipt"] = metered.receipt.jti
        flow = parts.running.begin(visit, who.connection)

        def end() -> None:
            parts.running.end(flow)
            if flow.stopped:
                metered.break_off(flow.stopped)
            else:
                metered.finish_file(file)

        response.call_on_close(end)
    return response


def _tag(shelved: Shelved) -> str:
    edition = shelved.decision.edition or "whole"
    return (
        f"{shelved.table}-{shelved.version.number}-{edition}-{shelved.version.content_hash[-16:]}"
    )
