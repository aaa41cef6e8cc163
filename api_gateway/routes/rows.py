"""`GET /v1/tables/<table>/rows`, and the same as `/v1/rest/<table>` for clients of PostgREST, whose
dialect it is."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from flask import Blueprint, Response, request

from api_gateway import asked, filters
from api_gateway.errors import NotSingular, RangeMissing
from api_gateway.exchange import Answer
from api_gateway.filters import Rows
from api_gateway.routes import accepted, caller, gateway
from api_gateway.routes.answering import streamed

pages = Blueprint("rows", __name__)

_ABOUT_THE_ANSWER = frozenset({"as_of", "csv_safe", "format", "timeout_s"})
_RANGE = re.compile(r"(?:items=)?(\d{1,15})-(\d{1,15})?")
_COUNT = re.compile(r"(?:^|[,; ])count=(exact|planned|estimated)\b")


@pages.get("/v1/tables/<table>/rows")
@pages.get("/v1/rest/<table>")
def rows(table: str) -> Response:
    """The rows that the address asks for."""
    parts, name = gateway(), table.lower()
    pairs = request.args.items(multi=True)
    wanted = filters.read((key, text) for key, text in pairs if key not in _ABOUT_THE_ANSWER)
    wanted, by_header = _in_range(wanted)
    how = asked.from_rows(request.args, accepted())
    if how.format == "object":
        # One more would be seen.
        how = replace(how, limit=1)
    preferred = _COUNT.search(request.headers.get("Prefer", ""))
    count = preferred[1] if preferred else ""
    answer = parts.rows(name, wanted, how, caller(), count, sent=request.method != "HEAD")
    try:
        _require_sense(answer, wanted)
    except BaseException:
        answer.end()
        raise
    response = streamed(answer)
    if not answer.held:
        _say_range(response, answer, wanted, by_header or bool(preferred))
    if preferred:
        response.headers["Preference-Applied"] = f"count={preferred[1]}"
    return response


def _in_range(wanted: Rows) -> tuple[Rows, bool]:
    """Of the rows that the address asks for those in the `Range` of the request, which is counted
    in all rows, as theirs is."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    # As RFC 9110: only GET has one.
    if not match or request.method != "GET":
        return wanted, False
    first, end = int(match[1]), int(match[2]) + 1 if match[2] else math.inf
    if end <= first:
        raise RangeMissing("the range ends before it begins")
    if wanted.limit == 0:
        return wanted, True
    if wanted.limit is not None:
        end = min(end, wanted.offset + wanted.limit)
    first = max(first, wanted.offset)
    if end <= first:
        raise RangeMissing("the range has none of the rows between offset and limit")
    limit = int(end) - first if end < math.inf else None
    return replace(wanted, offset=first, limit=limit), True


def _require_sense(answer: Answer, wanted: Rows) -> None:
    if answer.held:
        return
    singular = answer.row_count in (None, 1) and not answer.truncated
    if answer.asked.format == "object" and not singular:
        found = "more than one row" if answer.truncated else "no row"
        raise NotSingular(f"one object was asked for, and the answer has {found}")
    if answer.total is not None and wanted.offset > answer.total and not answer.row_count:
        raise RangeMissing(
            f"there are {answer.total} rows", headers={"Content-Range": f"*/{answer.total}"}
        )


def _say_range(response: Response, answer: Answer, wanted: Rows, partly: bool) -> None:
    """`Content-Range`, and 206 where a part was asked for and there is more."""
    count = answer.row_count
    if count is None and answer.total is None:
        return
    if count is None and answer.total is not None and wanted.after is None:
        count = max(0, answer.total - wanted.offset)
        count = count if wanted.limit is None else min(count, wanted.limit)
    first = wanted.offset
    shown = f"{first}-{first + count - 1}" if count else "*"
    total = "*" if answer.total is None else answer.total
    response.headers["Range-Unit"] = "items"
    response.headers["Content-Range"] = f"{shown}/{total}"
    more = answer.truncated if answer.total is None else (count or 0) < answer.total
    if partly and (more or first > 0):
        response.status_code = 206
