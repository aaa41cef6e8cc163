"""A file of the disk as a response: whole or in ranges, sent by the kernel."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from flask import Response, request, send_file
from werkzeug.wsgi import wrap_file


class SentFile(io.FileIO):
    """A file that tells when the server has closed it: sent, or given up."""

    ended: Callable[[], None] | None = None

    def close(self) -> None:
        super().close()
        if ended := self.ended:
            self.ended = None
            ended()


def stored(
    path: Path, *, media_type: str, name: str, tag: str, modified: datetime
) -> tuple[Response, SentFile]:
    """The response with the file as an attachment, or with what a conditional request or a range
    leaves of it."""
    file, size = SentFile(path), path.stat().st_size
    response = send_file(
        file,
        mimetype=media_type,
        as_attachment=True,
        download_name=name,
        conditional=False,
        etag=tag,
        last_modified=modified,
    )
    response.content_length = size
    response.make_conditional(request.environ, accept_ranges=True, complete_length=size)
    part = response.content_range
    if response.status_code == HTTPStatus.PARTIAL_CONTENT and "gunicorn.socket" in request.environ:
        # Gunicorn has the kernel send Content-Length bytes of a file from where it stands; another
        # server gets the range as it was wrapped.
        file.seek(part.start or 0)
        response.response = wrap_file(request.environ, file)
    return response, file
