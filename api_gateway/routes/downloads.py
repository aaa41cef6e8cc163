"""`GET /v1/tables/<table>/download.<format>`: one version of a whole table."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from flask import Blueprint, Response, request

from api_gateway import asked
from api_gateway.asked import Asked
from api_gateway.errors import GatewayError
from api_gateway.exchange import Caller
from api_gateway.formats import FORMATS
from api_gateway.meter import Metered
from api_gateway.query import whole
from api_gateway.routes import caller, gateway
from api_gateway.routes.answering import describe, streamed
from api_gateway.routes.stored import stored
from api_gateway.shelf import Shelved
from api_gateway.visit import Visit

pages = Blueprint("downloads", __name__)


@pages.get("/v1/tables/<table>/download.<format_name>")
def download(table: str, format_name: str) -> Response:
    """The version's own Parquet file where it is one, else made in the format asked for."""
    who, wanted = caller(), asked.from_download(request.args, format_name)
    visit = gateway().visit("file", "download", whole(table.lower()), wanted, who)
    return send(visit, wanted, who)


def send(visit: Visit, wanted: Asked, who: Caller) -> Response:
    """A whole table's version, as a file. The lake keeps one Parquet file a version, which goes out
    as it lies there, and resumes; anything else is made on the way, and does not."""
    (shelved,) = visit.shelved
    file_name = f"{shelved.table}_v{shelved.version.number}.{wanted.format}"
    if wanted.format == "parquet" and wanted.limit is None and len(shelved.source.files) == 1:
        return _stored(visit, who, file_name)
    parts = gateway()
    answered = parts.unsent if request.method == "HEAD" else parts.send
    response = streamed(answered(visit, wanted, who))
    response.headers.set("Content-Disposition", "attachment", filename=file_name)
    response.headers["Accept-Ranges"] = "none"
    return response


def _stored(visit: Visit, who: Caller, file_name: str) -> Response:
    """The file as it lies in the lake. Its ranges, and its repetitions of an hour, are one
    download: they are charged once."""
    (shelved,) = visit.shelved
    path = Path(shelved.source.files[0])
    response = stored(
        path,
        visit,
        who,
        media_type=FORMATS["parquet"].media_type,
        name=file_name,
        tag=_tag(shelved),
        modified=shelved.version.published_at,
    )
    describe(response, visit.shelved)
    if flow := response.flow:
        try:
            metered = _charge(visit, path)
            metered.part((response.content_length or 0) / path.stat().st_size)
        except BaseException:
            response.close()
            raise
        response.call_on_close(
            lambda: metered.break_off(flow.stopped) if flow.stopped else metered.finish_file(path)
        )
        if metered.receipt:
            response.headers["Hanoiic-Receipt"] = metered.receipt.jti
    return response


def _charge(visit: Visit, path: Path) -> Metered:
    metered = gateway().meter.begin(replace(visit, once=f"file of hour {int(time.time()) // 3600}"))
    try:
        metered.rows(visit.shelved[0].version.row_count)
        metered.counted(path.stat().st_size)
    except GatewayError as error:
        metered.fail(error)
        raise
    return metered


def _tag(shelved: Shelved) -> str:
    edition = shelved.decision.edition or "whole"
    return (
        f"{shelved.table}-{shelved.version.number}-{edition}-{shelved.version.content_hash[-16:]}"
    )
