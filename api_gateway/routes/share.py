"""`/v1/share`: Delta Sharing, version 1 of its protocol, with `responseformat=parquet`.

https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md. One share; its schemas are the
departments, its tables those that the caller may read. A quota is charged at `query` and `changes`;
the files behind them are opened by links (`share_files.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from api_gateway import sharing
from api_gateway.errors import (
    BadRequest,
    GatewayError,
    NotFound,
    TableNotFound,
    TableUnreadable,
    VersionNotFound,
)
from api_gateway.introspection import TableDecision
from api_gateway.query import whole
from api_gateway.routes import body, caller, gateway
from api_gateway.routes.share_files import address, asked_at, at_version, changed_address, pages
from api_gateway.sharing import SharedFile, Step
from api_gateway.shelf import Shelved
from api_gateway.visit import Visit
from lake import Version

SHARE = "hanoi"
_MOST_CHANGES = 100
_MOST_DIGITS = 15  # what `described.py` tells of numbers
_TABLE = "/shares/<share>/schemas/<schema>/tables/<table>"


@pages.get("/shares")
def shares() -> dict[str, Any]:
    """The one share there is."""
    caller()
    return {"items": [_share()]}


@pages.get("/shares/<share>")
def one_share(share: str) -> dict[str, Any]:
    """The share, if it is the one there is."""
    _check_share(share)
    return {"share": _share()}


@pages.get("/shares/<share>/schemas")
def schemas(share: str) -> dict[str, Any]:
    """The departments that have tables for the caller."""
    _check_share(share)
    names = sorted({_schema(of) for _, of in _readable()})
    return _page([{"name": name, "share": SHARE} for name in names])


@pages.get("/shares/<share>/schemas/<schema>/tables")
def tables(share: str, schema: str) -> dict[str, Any]:
    """The tables of one department."""
    _check_share(share)
    return _page([_item(name, of) for name, of in _readable() if _schema(of) == schema.lower()])


@pages.get("/shares/<share>/all-tables")
def all_tables(share: str) -> dict[str, Any]:
    """Every table that the caller may read."""
    _check_share(share)
    return _page([_item(name, of) for name, of in _readable()])


@pages.get(f"{_TABLE}/version")
def version(share: str, schema: str, table: str) -> Response:
    """The latest version, or the first one since `startingTimestamp`."""
    visit = _visit(share, schema, table)
    number = visit.shelved[0].version.number
    if since := request.args.get("startingTimestamp"):
        number = _first_since(visit, _instant("startingTimestamp", since)).number
    return _lines([], number)


@pages.get(f"{_TABLE}/metadata")
def metadata(share: str, schema: str, table: str) -> Response:
    """Protocol and schema of the latest version."""
    (shelved,) = _visit(share, schema, table).shelved
    head = sharing.head(shelved, gateway().shelf.delta_schema(shelved))
    return _lines(head, shelved.version.number)


@pages.post(f"{_TABLE}/query")
def query(share: str, schema: str, table: str) -> Response:
    """The files of a version: of the latest, of `version`, or of the one at `timestamp`."""
    told = body() if request.data else {}
    if not isinstance(told, dict):
        raise BadRequest("the body must be a JSON object")
    if told.get("startingVersion") is not None:
        raise BadRequest(
            "files since a version are served by /changes", parameter="startingVersion"
        )
    wanted = told.get("version")
    visit = _visit(share, schema, table, told.get("timestamp") if wanted is None else wanted)
    (shelved,) = visit.shelved
    most = _limit(told.get("limitHint"))

    def lines() -> tuple[list[SharedFile], list[dict[str, Any]]]:
        of = sharing.enough(sharing.files(shelved), most)
        head = sharing.head(shelved, gateway().shelf.delta_schema(shelved))
        return of, [*head, *sharing.snapshot(shelved, of, address(visit))]

    return _charged(visit, lines, shelved.version.number)


@pages.get(f"{_TABLE}/changes")
def changes(share: str, schema: str, table: str) -> Response:
    """What changed from `startingVersion` (or `startingTimestamp`) to the end asked for."""
    visit = _visit(share, schema, table)
    first, last = _span(visit)
    numbers = sorted(each.number for each in _kept(visit))
    wanted = [number for number in numbers if first <= number <= last]
    if not wanted or wanted[0] != first:
        raise VersionNotFound(
            f"no version {first} that you may read", table=table, first=_from(numbers)
        )
    if len(wanted) > _MOST_CHANGES:
        raise BadRequest(f"at most {_MOST_CHANGES} versions at once", parameter="endingVersion")
    shelved = {number: at_version(visit, number) for number in wanted}
    before = max((number for number in numbers if number < first), default=None)
    if before is None and first > 1:
        # What it replaced is gone, or not the caller's, and with it what changed.
        raise VersionNotFound(
            f"no version before {first} that you may read", table=table, first=_from(numbers)
        )
    earlier = [None if before is None else at_version(visit, before), *shelved.values()]

    def told() -> tuple[list[SharedFile], list[dict[str, Any]]]:
        steps = _steps(visit, zip(earlier, shelved.values(), strict=False))
        newest = shelved[wanted[-1]]
        head = sharing.head(newest, gateway().shelf.delta_schema(newest))
        lines = [*head, *sharing.changes(steps, address(visit), changed_address(visit))]
        return [file for step in steps for file in step.files], lines

    return _charged(visit, told, wanted[-1])


def _share() -> dict[str, str]:
    return {"name": SHARE, "id": SHARE}


def _check_share(share: str) -> None:
    if share.lower() != SHARE:
        raise NotFound(f"no share {share[:60]}")


def _readable() -> list[tuple[str, TableDecision]]:
    """Tables that the caller may read and that have a version."""
    decision, found = gateway().decide(caller(), None, "share"), []
    for name, of in sorted(decision.tables.items()):
        if of.permitted:
            with suppress(TableNotFound):
                # One that cannot be read now is there: whoever reads it is told.
                with suppress(TableUnreadable):
                    gateway().shelf.version(name)
                found.append((name, of))
    return found


def _schema(of: TableDecision) -> str:
    return str(of.dataset.get("organization") or "default").lower()


def _item(name: str, of: TableDecision) -> dict[str, str]:
    return {"name": name, "schema": _schema(of), "share": SHARE, "shareId": SHARE, "id": name}


def _page(items: list[dict[str, str]]) -> dict[str, Any]:
    """`maxResults` items from `pageToken` on; a page token is a place in the list."""
    token = request.args.get("pageToken") or "0"
    if not (token.isascii() and token.isdigit()):
        raise BadRequest("pageToken is not one of this list", parameter="pageToken")
    most = _limit(request.args.get("maxResults"), "maxResults")
    start = int(token)
    end = len(items) if most is None else start + most
    page: dict[str, Any] = {"items": items[start:end]}
    return page | ({"nextPageToken": str(end)} if end < len(items) and most else {})


def _visit(share: str, schema: str, table: str, as_of: Any = None) -> Visit:
    _check_share(share)
    name = table.lower()
    visit = gateway().visit("share", "share", whole(name), asked_at(as_of), caller())
    if _schema(visit.decision.of(name)) != schema.lower():
        raise TableNotFound(f"no table {name} in {schema[:60]}", table=name)
    return visit


def _charged(
    visit: Visit,
    told: Callable[[], tuple[list[SharedFile], list[dict[str, Any]]]],
    number: int,
) -> Response:
    """The answer with the lines that `told` gives, charged with the files it gives with them."""
    metered = gateway().meter.begin(visit)
    try:
        of, lines = told()
        metered.rows(sum(each.row_count for each in of))
        metered.counted(sum(each.byte_count for each in of))
    except GatewayError as error:
        metered.fail(error)
        raise
    except BaseException as error:
        metered.break_off(type(error).__name__)
        raise
    metered.finish()
    return _lines(lines, number)


def _steps(visit: Visit, pairs: Iterable[tuple[Shelved | None, Shelved]]) -> list[Step]:
    """From version to version, with the changed rows as far as the time of a query tells them."""
    deadline = time.monotonic() + gateway().settings.gateway_timeout_s
    steps = []
    for before, after in pairs:
        path = None
        if before:
            left_s = deadline - time.monotonic()
            path = gateway().changes.file(before, after, visit.who, left_s)
        steps.append(Step(before, after, sharing.changed_file(path) if path else None))
    return steps


def _lines(lines: list[dict[str, Any]], number: int) -> Response:
    response = Response(sharing.written(lines), content_type=sharing.MEDIA_TYPE)
    response.headers["Delta-Table-Version"] = str(number)
    response.headers["Delta-Sharing-Capabilities"] = sharing.CAPABILITIES
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _span(visit: Visit) -> tuple[int, int]:
    arguments, latest, table = request.args, visit.shelved[0].version.number, visit.tables[0]
    if since := arguments.get("startingTimestamp"):
        first = _first_since(visit, _instant("startingTimestamp", since)).number
    else:
        first = _number("startingVersion", arguments.get("startingVersion"))
    if until := arguments.get("endingTimestamp"):
        at = _instant("endingTimestamp", until)
        last = gateway().shelf.take(table, visit.decision.of(table), at).version.number
    elif arguments.get("endingVersion"):
        last = min(_number("endingVersion", arguments["endingVersion"]), latest)
    else:
        last = latest
    if first > last:
        raise BadRequest("the start is after the end", parameter="startingVersion")
    return max(first, 1), last


def _kept(visit: Visit) -> list[Version]:
    """The versions of the table that the caller can read."""
    (shelved,) = visit.shelved
    return gateway().shelf.kept(shelved.table, shelved.decision.edition)


def _from(numbers: list[int]) -> int | None:
    """The first of these versions whose change is known: that of the table, or the second."""
    return next((number for number in numbers if number == 1 or number > numbers[0]), None)


def _first_since(visit: Visit, since: datetime) -> Version:
    later = [each for each in _kept(visit) if each.published_at >= since]
    if not later:
        raise BadRequest("no version is that young", parameter="startingTimestamp")
    return min(later, key=lambda each: each.number)


def _instant(name: str, text: str) -> datetime:
    try:
        time_ = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise BadRequest(f"{name} must be an ISO 8601 date-time", parameter=name) from None
    return time_ if time_.tzinfo else time_.replace(tzinfo=UTC)


def _number(name: str, text: str | None) -> int:
    if not text or not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        raise BadRequest(f"{name} must be a version's number", parameter=name)
    return int(text)


def _limit(value: Any, name: str = "limitHint") -> int | None:
    if value is None:
        return None
    text = json.dumps(value) if isinstance(value, int) else str(value)
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        raise BadRequest(f"{name} must be a number from 0", parameter=name)
    return int(text)
