"""What a request's preconditions and its Range leave of a file (RFC 9110, sections 13.2.2 and 14).

Werkzeug's own `make_conditional` looks at Range first, knows no `If-Unmodified-Since`, and refuses
the last 64 KiB of a file that is shorter, which is what readers of Parquet begin with.
"""

from __future__ import annotations

import re
from datetime import datetime

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import quote_etag

from api_gateway.errors import PreconditionFailed

# One range; several, another unit and what is no range at all leave the file whole.
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII | re.IGNORECASE)


def is_held(tag: str, modified: datetime) -> bool:
    """Whether the caller has the file of this (strong) tag, last modified then. Raises
    PreconditionFailed where it speaks of another one."""
    modified = modified.replace(microsecond=0)
    if "If-Match" in request.headers:
        is_other = not request.if_match.contains(tag)
    else:
        since = request.if_unmodified_since
        is_other = since is not None and modified > since
    if is_other:
        raise PreconditionFailed(headers={"ETag": quote_etag(tag)})
    if "If-None-Match" in request.headers:
        return request.if_none_match.contains_weak(tag)
    since = request.if_modified_since
    return since is not None and modified <= since


def part(response: Response, size: int) -> range | None:
    """The bytes asked for of a file of `size`, None for all of them as no part.

    Raises RequestedRangeNotSatisfiable when the file has none of them.
    """
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    held = request.headers.get("If-Range")
    is_same = held is None or held in (response.headers["ETag"], response.headers["Last-Modified"])
    if request.method != "GET" or not asked or not is_same or not size:
        return None
    first, last, suffix = (int(number) if number else None for number in asked.groups())
    if first is None:
        first = max(size - (suffix or 0), 0)
    elif last is not None and last < first:
        return None
    if first >= size:
        raise RequestedRangeNotSatisfiable(size)
    return range(first, size if last is None else min(last + 1, size))
