"""`GET /v1/tables/<table>/download.<format>`: one version of a whole table."""

from __future__ import annotations

from flask import Blueprint, Response, request, send_file

from api_gateway import asked
from api_gateway.formats import FORMATS
from api_gateway.routes import caller, gateway
from api_gateway.routes.answering import describe, streamed
from api_gateway.shelf import Shelved

pages = Blueprint("downloads", __name__)


@pages.get("/v1/tables/<table>/download.<format_name>")
def download(table: str, format_name: str) -> Response:
    """The version's own Parquet file where it is one, else made in the format asked for."""
    parts, who, name = gateway(), caller(), table.lower()
    wanted = asked.from_download(request.args, format_name)
    (shelved,) = parts.take((name,), wanted, who, "download")
    file_name = f"{name}_v{shelved.version.number}.{format_name}"
    if format_name == "parquet" and wanted.limit is None and len(shelved.source.files) == 1:
        response = send_file(
            shelved.source.files[0],
            mimetype=FORMATS["parquet"].media_type,
            as_attachment=True,
            download_name=file_name,
            conditional=True,
            etag=_tag(shelved),
            last_modified=shelved.version.published_at,
        )
        describe(response, (shelved,))
        return response
    response = streamed(parts.download(name, wanted, who))
    response.headers.set("Content-Disposition", "attachment", filename=file_name)
    return response


def _tag(shelved: Shelved) -> str:
    edition = shelved.decision.edition or "whole"
    return (
        f"{shelved.table}-{shelved.version.number}-{edition}-{shelved.version.content_hash[-16:]}"
    )
