"""A file of the disk as a response: whole or a part, sent by the kernel, watched until it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from flask import Response, request
from werkzeug.datastructures import ContentRange
from werkzeug.wsgi import wrap_file

from api_gateway import metrics
from api_gateway.exchange import Caller
from api_gateway.lake_reads import of_the_lake
from api_gateway.routes import conditional, gateway
from api_gateway.running import Flow
from api_gateway.visit import Visit


class SentFile(io.FileIO):
    """The part of a file that is sent. It tells when the server has closed it: sent, or given up.

    The server closes the file alone: it is what the kernel sends, not the response around it.
    """

    def __init__(self, path: Path, part: range, ended: Callable[[], None]) -> None:
        super().__init__(path)
        self._part, self._ended = part, ended
        self.seek(part.start)

    @property
    def sent_bytes(self) -> int:
        """How much of it is sent, or was when it was closed."""
        return self._reached - self._part.start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        # By this the socket says how far the kernel came.
        self._reached = super().seek(offset, whence)
        return self._reached

    def read(self, size: int | None = -1) -> bytes:
        left = self._part.stop - self.tell()
        data = super().read(left if size is None or size < 0 else min(size, left))
        self._reached = self.tell()
        return data or b""

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._ended()


class Stored(Response):
    """A file as a response. `flow` watches what is sent; None: nothing of the file is, by the
    method or by a precondition."""

    flow: Flow | None = None


def stored(
    path: Path,
    visit: Visit,
    who: Caller,
    *,
    media_type: str,
    name: str,
    tag: str,
    modified: datetime,
) -> Stored:
    """The response with the file as an attachment, or with what a conditional request or a range
    leaves of it.

    Raises PreconditionFailed, RequestedRangeNotSatisfiable, TableUnreadable.
    """
    response = Stored(mimetype=media_type)
    response.set_etag(tag)
    response.last_modified = modified
    response.cache_control.no_cache = True
    response.accept_ranges = "bytes"
    if conditional.is_held(tag, modified):
        response.status_code = HTTPStatus.NOT_MODIFIED
        del response.headers["Content-Type"]
        return response
    response.headers.set("Content-Disposition", "attachment", filename=name)
    with of_the_lake():
        size = path.stat().st_size
    part = conditional.part(response, size)
    if part:
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response.content_range = ContentRange("bytes", part.start, part.stop, size)
    part = part or range(size)
    response.content_length = len(part)
    if request.method != "HEAD":
        _send(response, SentFile(path, part, response.close), visit, who)
    return response


def _send(response: Stored, file: SentFile, visit: Visit, who: Caller) -> None:
    running = gateway().running
    flow = response.flow = running.begin(visit, who.connection)

    def ended() -> None:
        running.end(flow)
        metrics.bytes_of(visit.door).inc(file.sent_bytes)

    response.call_on_close(ended)
    response.response = wrap_file(request.environ, file)
    response.direct_passthrough = True
