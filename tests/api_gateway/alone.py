"""One lock of the three, and the other two open: what does it stop by itself?

`python -m tests.api_gateway.alone` reads from standard input `{"lock", "granted", "foreign",
"spill", "attacks": [[sql, parameters]]}` and writes for each attack what it got: the rows or the
error, as a text. `granted` and `foreign` are tables by name, with their files. Each attack has a
process of its own, and no `lock` leaves all of them open.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from api_gateway import engine, gate, sandbox
from api_gateway.engine import Source
from api_gateway.errors import GatewayError

MEMORY_MB, SPILL_MB, PATIENCE_S = 512, 64, 5.0
_SERIALIZE = "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true)"
_DESERIALIZE = "SELECT json_deserialize_sql(?::JSON)"


def sources(tables: dict[str, list[str]]) -> list[Source]:
    return [Source(name, tuple(files)) for name, files in tables.items()]


def unlocked(told: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """An engine as it comes (but for a search of the Internet), with every table of the lake."""
    connection = duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False})
    for source in sources(told["granted"] | told["foreign"]):
        connection.execute(engine._view(source))
    return connection


def judged(sql: str, granted: dict[str, list[str]]) -> str:
    """The SQL that the gate lets run. Raises GatewayError, or PermissionError for a table."""
    gate.measure(sql)
    reader = _reader()

    def text(statement: str, argument: str) -> str:
        return str(reader.execute(statement, [argument]).fetchone()[0])

    parsed = text(_SERIALIZE, sql)
    gate.check(parsed, sql)
    printed = text(_DESERIALIZE, parsed)
    accepted = gate.accept(sql, parsed, printed, text(_SERIALIZE, printed))
    if foreign := set(accepted.tables) - set(granted):
        raise PermissionError(f"not granted: {foreign}")
    return accepted.sql


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    reader = duckdb.connect(config={"threads": 1})
    reader.execute("SET max_expression_depth = 250")
    return reader


def run(told: dict[str, Any], sql: str, parameters: dict[str, str]) -> str:
    lock, connection = told["lock"], None
    if lock == "engine":
        connection = engine.connect(MEMORY_MB)
        engine.lock(connection, sources(told["granted"]), Path(told["spill"]), SPILL_MB, MEMORY_MB)
    if lock == "system":
        sandbox.limit_resources(MEMORY_MB, SPILL_MB)
        files = [Path(file) for listed in told["granted"].values() for file in listed]
        assert sandbox.restrict_files(files, Path(told["spill"]))
        assert sandbox.restrict_calls()
    connection = connection or unlocked(told)
    # An empty statement has no result.
    executed = connection.execute(sql, parameters or None)
    rows = executed.fetchmany(1000) if executed else []
    return json.dumps(rows, default=str, ensure_ascii=False)


def attempt(told: dict[str, Any], sql: str, parameters: dict[str, str]) -> str:
    """What the attack got, from a process that lives `PATIENCE_S` at most."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        said = "lost"
        # Some attacks write there, where the results go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            said = "got " + run(told, sql, parameters)
        except (duckdb.Error, GatewayError, PermissionError) as error:
            said = f"{type(error).__name__}: {error}"
        except BaseException as error:
            said = f"broken {type(error).__name__}: {error}"
        finally:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(said.encode(errors="replace")[:50_000])
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], PATIENCE_S)
        if not ready:
            os.kill(child, signal.SIGKILL)
        said = pipe.read().decode(errors="replace") if ready else "stopped by time"
    os.waitpid(child, 0)
    return said


def main() -> None:
    told = json.load(sys.stdin)
    said = []
    for sql, parameters in told["attacks"]:
        try:
            accepted = judged(sql, told["granted"]) if told["lock"] == "gate" else sql
        except (duckdb.Error, GatewayError, PermissionError) as error:
            said.append(f"{type(error).__name__}: {error}")
        else:
            said.append(attempt(told, accepted, parameters))
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
