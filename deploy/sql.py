"""``hanoiic sql``: ask the gateway from a terminal, see a table, or keep the answer in a file."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from deploy import sql_output
from deploy.errors import (
    DeployError,
    GatewayRefused,
    GatewayUnreachable,
    OutputRefused,
    ParameterRefused,
)
from deploy.home import Home
from deploy.settings import Settings

FORMATS = ("csv", "json", "ndjson", "arrow", "parquet", "xlsx", "geojson")
# What a file's ending means; the others are the formats' own names.
_ENDINGS = {".jsonl": "ndjson", ".arrows": "arrow", ".ipc": "arrow", ".geo.json": "geojson"}
_SHOWN_ROWS = 100
_CONNECT_S, _READ_S = 10.0, 1000.0
EXAMPLES = """\
examples:
  hanoiic sql "SELECT * FROM planning_wards LIMIT 5"
  hanoiic sql "SELECT count(*) FROM bus_stops WHERE ward = \\$ward" --param ward="Đống Đa"
  hanoiic sql "FROM bus_stops" --as-of 3 --output stops.xlsx
  hanoiic sql "FROM bus_stops" --explain
  hanoiic sql - < query.sql > rows.csv

A terminal gets a table, a pipe gets CSV. The token is read from HANOIIC_TOKEN_FILE or
HANOIIC_TOKEN; open tables need none."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options of ``hanoiic sql``."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = EXAMPLES
    command.add_argument("sql", metavar="SQL", help="one SELECT; - reads it from standard input")
    command.add_argument(
        "-p", "--param", action="append", default=[], metavar="[NAME=]VALUE",
        help="a value for $NAME, or without a name for the next ?; may be repeated",
    )  # fmt: skip
    endings = ", ".join(FORMATS)
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help=f"write to FILE; its ending says the format: {endings}",
    )  # fmt: skip
    command.add_argument("--format", choices=("table", *FORMATS), help="whatever the ending says")
    command.add_argument("--as-of", metavar="VERSION", help="a version or a date-time with zone")
    command.add_argument("--limit", type=int, help=f"most rows; a table shows {_SHOWN_ROWS}")
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="most engine time")
    command.add_argument("--explain", action="store_true", help="the plan and its cost, no rows")
    command.add_argument("--url", help="the gateway's address (default: the one of this portal)")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Ask, and print or write the answer. Raises DeployError."""
    sql = sys.stdin.read() if options.sql == "-" else options.sql
    chosen = _format(options)
    body: dict[str, Any] = {
        "sql": sql,
        "format": "json" if chosen == "table" else chosen,
        "params": _params(options.param),
        "as_of": options.as_of,
        "timeout_s": options.timeout,
        "limit": options.limit,
        "dry_run": options.explain,
    }
    if chosen == "table" and options.limit is None:
        body["limit"] = _SHOWN_ROWS
    with _asked(settings, options, body) as answer:
        if options.explain:
            sql_output.show_plan(answer.json())
        elif chosen == "table":
            sql_output.show_rows(answer.json(), limited=options.limit is None)
        else:
            if options.output:
                sql_output.write(answer, options.output)
            else:
                sql_output.pass_on(answer)
            if answer.headers.get("Hanoiic-Truncated") == "true":
                sql_output.warn_truncated("--limit cut some off")
    return 0


def _format(options: argparse.Namespace) -> str:
    if options.format:
        if options.output and options.format == "table":
            raise OutputRefused("A table is for the terminal: name a format that a file can have.")
        return str(options.format)
    if options.output:
        name = options.output.name.lower()
        for ending, found in {**_ENDINGS, **{f".{each}": each for each in FORMATS}}.items():
            if name.endswith(ending):
                return found
        endings = ", ".join(f".{each}" for each in FORMATS)
        raise OutputRefused(f"The ending of {options.output} is no format; there are {endings}.")
    return "table" if sys.stdout.isatty() else "csv"


def _params(given: list[str]) -> list[Any] | dict[str, Any]:
    """By name if one has a name, else in order. A value is JSON where it reads as a scalar."""
    named = [each.partition("=") for each in given]
    if any(equals and name.isidentifier() for name, equals, _ in named):
        return {name.lstrip("$"): _value(value) for name, _, value in named}
    return [_value(each) for each in given]


def _value(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if isinstance(found, float) and not math.isfinite(found):
        raise ParameterRefused(
            f"{text} can't be sent as a number: write it into the SQL, as 'NaN'::DOUBLE, or send "
            f"""a text, '"{text}"'."""
        )
    return text if isinstance(found, dict | list) else found


@contextmanager
def _asked(
    settings: Settings, options: argparse.Namespace, body: dict[str, Any]
) -> Iterator[requests.Response]:
    home = Home(settings.home.resolve())
    url = (options.url or home.gateway_url(settings)).rstrip("/")
    session = requests.Session()
    # Proxies and .netrc of the environment are not for this token.
    session.trust_env = False
    if token := _token(settings):
        session.headers["Authorization"] = f"Bearer {token}"
    waiting = Console(stderr=True).status("the gateway works …", spinner="dots")
    try:
        with session, waiting:
            answer = session.post(
                f"{url}/v1/sql",
                json={name: value for name, value in body.items() if value not in (None, [])},
                stream=True,
                timeout=(_CONNECT_S, _READ_S),
            )
            waiting.stop()
            if answer.status_code >= requests.codes.bad_request:
                raise _refused(answer, body["sql"])
            yield answer
    except requests.ConnectionError as error:
        # Also an answer that was broken off: it is not whole.
        raise GatewayUnreachable(
            f"The gateway at {url} does not answer, or broke off; `hanoiic status` tells what "
            "runs, --url names another one."
        ) from error
    except requests.RequestException as error:
        raise GatewayUnreachable(f"The answer of {url} is not whole; ask again.") from error


def _token(settings: Settings) -> str | None:
    if settings.token_file is None:
        return settings.token or None
    try:
        return settings.token_file.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"The token's file {settings.token_file} can't be read.") from error


def _refused(answer: requests.Response, sql: str) -> DeployError:
    try:
        problem = answer.json()
        words = f"{problem['detail']} ({problem['code']})"
    except (ValueError, KeyError, TypeError):
        return GatewayUnreachable(f"{answer.url} answered {answer.status_code}; is it a gateway?")
    if isinstance(place := problem.get("position"), int):
        words += "\n" + _pointed(sql, place)
    for fact, text in (
        ("hint", "{}"),
        ("suggestions", "did you mean {}?"),
        ("access_url", "ask for access: {}"),
    ):
        if found := problem.get(fact):
            said = ", ".join(found) if isinstance(found, list) else found
            words += "\n" + text.format(said)
    return GatewayRefused(words)


def _pointed(sql: str, position: int) -> str:
    """The line of the SQL with a mark under the place."""
    begun = sql.rfind("\n", 0, position) + 1
    line = sql[begun:].split("\n", 1)[0]
    start = max(0, position - begun - 60)
    return f"  {line[start : start + 100]}\n  {' ' * (position - begun - start)}^"
