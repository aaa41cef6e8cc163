"""`GET /v1/tables/<table>/rows`, and the same as `/v1/rest/<table>` for clients of PostgREST, whose
dialect it is."""

from __future__ import annotations

import re
from dataclasses import replace

from flask import Blueprint, Response, request

from api_gateway import asked, filters
from api_gateway.errors import NotSingular, RangeMissing
from api_gateway.exchange import Answer
from api_gateway.filters import Rows
from api_gateway.routes import caller, gateway
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
    how = asked.from_rows(request.args, request.accept_mimetypes)
    if how.format == "object":
        # One more would be seen.
        how = replace(how, limit=1)
    preferred = _COUNT.search(request.headers.get("Prefer", ""))
    count = preferred[1] if preferred else ""
    answer = parts.rows(name, wanted, how, caller(), count)
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
    """The rows with the `Range` of the request, unless the address has its own."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if not match or wanted.limit is not None or wanted.offset:
        return wanted, False
    first, last = int(match[1]), match[2]
    if last is not None and int(last) < first:
        raise RangeMissing("the range ends before it begins")
    limit = int(last) - first + 1 if last is not None else None
    return replace(wanted, offset=first, limit=limit), True


def _require_sense(answer: Answer, wanted: Rows) -> None:
    if answer.held:
        return
    if answer.asked.format == "object" and (answer.row_count != 1 or answer.truncated):
        found = "more than one row" if answer.truncated else "no row"
        raise NotSingular(f"one object was asked for, and the answer has {found}")
    if answer.total is not None and wanted.offset > answer.total and not answer.row_count:
        raise RangeMissing(
            f"there are {answer.total} rows", headers={"Content-Range": f"*/{answer.total}"}
        )


def _say_range(response: Response, answer: Answer, wanted: Rows, partly: bool) -> None:
    """`Content-Range`, and 206 where a part was asked for and there is more."""
    count = answer.row_count
    if count is None and answer.total is not None:
        count = max(0, answer.total - wanted.offset)
        count = count if wanted.limit is None else min(count, wanted.limit)
    if count is None:
        return
    first, last = wanted.offset, wanted.offset + count - 1
    shown = f"{first}-{last}" if count else "*"
    total = "*" if answer.total is None else answer.total
    response.headers["Range-Unit"] = "items"
    response.headers["Content-Range"] = f"{shown}/{total}"
    more = answer.truncated if answer.total is None else count < answer.total
    if partly and (more or first > 0):
        response.status_code = 206
