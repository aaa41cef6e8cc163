"""What a caller asks, read from its request: SQL, format, versions, limits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MIMEAccept

from api_gateway.errors import BadRequest, NotAcceptable
from api_gateway.formats import FORMATS, LISTS, MEDIA_TYPES
from api_gateway.settings import LIMIT_ROWS

Version = int | datetime
_SCALARS = (str, int, float, bool, type(None))
_MOST_PARAMETERS = 1000
# A plus sign in a URL that was not encoded arrives as a space.
_LOST_PLUS = re.compile(r"(T\S+) (\d\d:?\d\d)$")
SQL_FIELDS = frozenset(
    {"sql", "params", "format", "as_of", "limit", "timeout_s", "csv_safe", "dry_run"}
)


@dataclass(frozen=True)
class AsOf:
    """Which version of each table: one for all, or by name; None is the latest."""

    every: Version | None = None
    by_table: Mapping[str, Version] = field(default_factory=dict)

    def of(self, table: str) -> Version | None:
        return self.by_table.get(table, self.every)

    def require(self, tables: Collection[str]) -> None:
        """Raises BadRequest if a version is asked for of a table that is not among these."""
        if unread := sorted(set(self.by_table) - set(tables)):
            raise BadRequest(
                f"as_of names what is not read: {', '.join(unread)}",
                parameter="as_of", valid=sorted(tables),
            )  # fmt: skip


@dataclass(frozen=True)
class Count:
    """Counts rows besides answering them; `planned`: takes the plan's estimate instead."""

    sql: str
    params: list[Any]
    planned: bool


@dataclass(frozen=True)
class Reach:
    """Finds out whether a `limit` inside the statement cuts rows off: `sql` is limited to one row
    more, and is counted first, as the answer is too long to wait for its end."""

    sql: str
    params: list[Any]
    limit: int


@dataclass(frozen=True)
class Asked:
    """A request for rows. `limit` in rows, `timeout_s` in seconds of engine time."""

    format: str
    as_of: AsOf
    sql: str = ""
    params: list[Any] | dict[str, Any] = field(default_factory=list)
    limit: int | None = None
    timeout_s: float | None = None
    csv_safe: bool = False
    dry_run: bool = False
    count: Count | None = None
    reach: Reach | None = None

    @property
    def row_limit(self) -> int | None:
        """The most rows that are answered, wherever the limit stands."""
        return self.reach.limit if self.reach else self.limit


def from_body(body: Any, accept: MIMEAccept) -> Asked:
    """`POST /v1/sql`: a JSON object of `SQL_FIELDS`. Raises BadRequest, NotAcceptable."""
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object with the member sql")
    _whole_characters(body)
    if unknown := sorted(set(body) - SQL_FIELDS):
        raise BadRequest(f"unknown members: {', '.join(unknown)}", valid=sorted(SQL_FIELDS))
    if not isinstance(body.get("sql"), str):
        raise BadRequest("sql must be a text", parameter="sql")
    return Asked(
        sql=body["sql"],
        params=_params(body.get("params")),
        format=choose_format(body.get("format"), accept),
        as_of=as_of(body.get("as_of")),
        limit=_number("limit", body.get("limit"), int, 0, LIMIT_ROWS),
        timeout_s=_number("timeout_s", body.get("timeout_s"), float, 0.05, math.inf),
        csv_safe=_flag("csv_safe", body.get("csv_safe")),
        dry_run=_flag("dry_run", body.get("dry_run")),
    )


def from_query(arguments: Mapping[str, str], accept: MIMEAccept) -> Asked:
    """`GET /v1/sql?q=…`. Raises BadRequest, NotAcceptable."""
    if not arguments.get("q"):
        raise BadRequest("q must hold the SQL", parameter="q")
    body: dict[str, Any] = {"sql": arguments["q"]}
    for name, value in arguments.items():
        if name != "q":
            body[name] = value
    if "params" in body:
        try:
            body["params"] = json.loads(body["params"])
        except ValueError:
            raise BadRequest("params must be JSON", parameter="params") from None
    return from_body(body, accept)


def from_download(arguments: Mapping[str, str], format_name: str) -> Asked:
    """`GET /v1/tables/<t>/download.<format>`. Raises BadRequest, NotAcceptable."""
    if format_name not in FORMATS:
        raise NotAcceptable(f"no format {format_name[:40]}", formats=list(FORMATS))
    return Asked(
        format=format_name,
        as_of=as_of(arguments.get("as_of")),
        limit=_number("limit", arguments.get("limit"), int, 0, LIMIT_ROWS),
        csv_safe=_flag("csv_safe", arguments.get("csv_safe")),
    )


def from_rows(arguments: Mapping[str, str], accept: MIMEAccept) -> Asked:
    """`GET /v1/tables/<t>/rows`: all of it but columns, filters, order and page, which `filters`
    reads. Raises BadRequest, NotAcceptable."""
    lists = {
        kind: each.name for each in LISTS.values() for kind in (each.media_type, *each.aliases)
    }
    named = arguments.get("format")
    if named is None and (best := accept.best_match([*lists, *MEDIA_TYPES])) in lists:
        chosen = lists[best]
    else:
        chosen = choose_format(named, accept)
    return Asked(
        format="rows" if chosen == "json" else chosen,
        as_of=as_of(arguments.get("as_of")),
        timeout_s=_number("timeout_s", arguments.get("timeout_s"), float, 0.05, math.inf),
        csv_safe=_flag("csv_safe", arguments.get("csv_safe")),
    )


def choose_format(named: Any, accept: MIMEAccept) -> str:
    """The format by name, else the best of `Accept`, else JSON."""
    if named is not None:
        if not isinstance(named, str) or named not in FORMATS:
            raise NotAcceptable(f"no format {str(named)[:40]}", formats=list(FORMATS))
        return str(named)
    if not accept:
        return "json"
    best = accept.best_match(["application/json", *MEDIA_TYPES])
    if best is None:
        raise NotAcceptable("no media type of Accept is served", formats=list(FORMATS))
    return MEDIA_TYPES[best]


def as_of(value: Any) -> AsOf:
    """An integer, an ISO 8601 date-time with its zone, `{"table": …}`, or as a text
    `table:version,table:version`. Raises BadRequest."""
    if value in (None, ""):
        return AsOf()
    if isinstance(value, dict):
        return AsOf(by_table={str(name).lower(): _version(each) for name, each in value.items()})
    if isinstance(value, str) and (pairs := _pairs(value)):
        return AsOf(by_table=pairs)
    return AsOf(every=_version(value))


def _whole_characters(body: dict[str, Any]) -> None:
    """JSON can say half a character, which neither the engine nor an answer can hold."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        raise BadRequest("the body holds half a character, or nests too deeply") from None


def _pairs(text: str) -> dict[str, Version] | None:
    pairs = [part.partition(":") for part in text.split(",")]
    if not all(name.strip()[:1].isalpha() and colon for name, colon, _ in pairs):
        return None
    return {name.strip().lower(): _version(version.strip()) for name, _, version in pairs}


def _version(value: Any) -> Version:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) < 19:
            return int(value)
        try:
            time = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", value))
        except ValueError:
            time = None
        if time is not None and time.tzinfo is not None:
            return time
    raise BadRequest(
        "as_of must be a version number or an ISO 8601 date-time with its zone, as "
        "2026-01-01T00:00:00Z, for all tables or by table",
        parameter="as_of",
    )


def _params(value: Any) -> list[Any] | dict[str, Any]:
    if value is None:
        return []
    if not isinstance(value, list | dict) or len(value) > _MOST_PARAMETERS:
        raise BadRequest("params must be a list or an object", parameter="params")
    for each in value.values() if isinstance(value, dict) else value:
        items = each if isinstance(each, list) else [each]
        if not all(isinstance(item, _SCALARS) for item in items):
            raise BadRequest(
                "a parameter is a text, a number, true, false, null, or a list of them",
                parameter="params",
            )
    return value


def _number(name: str, value: Any, kind: type, least: float, most: float) -> Any:
    if value in (None, ""):
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        number = kind(value)
        if not least <= number <= most or number != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        bounds = f"from {least:g}" + ("" if most == math.inf else f" to {most:g}")
        raise BadRequest(f"{name} must be a number {bounds}", parameter=name) from None
    return number


def _flag(name: str, value: Any) -> bool:
    truth = {None: False, "": False, "0": False, "false": False, "1": True, "true": True}
    if isinstance(value, bool | int) and value in (0, 1):
        return bool(value)
    if not isinstance(value, str | None) or value not in truth:
        raise BadRequest(f"{name} must be 0 or 1", parameter=name)
    return truth[value]
