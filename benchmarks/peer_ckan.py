"""CKAN with its DataStore over PostgreSQL, asked through `datastore_search_sql`: a peer of
`benchmarks/gateway.py`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from deploy.ckan_ini import CkanIni
from deploy.home import Home
from deploy.postgres import PORTAL_ROLE, EmbeddedPostgres
from tests import servers

DATABASE, READER, PASSWORD = "datastore", "datastore_reader", "of-a-benchmark"
FIELDS = {"id": "bigint", "station": "text", "ward": "int", "pm25_ug_m3": "float8",
          "humidity": "float8"}  # fmt: skip
# Inside CKAN: an open dataset with an empty DataStore table, whose name is printed.
_MAKE = """
import os, sys, json, pylibmagic
from ckan.cli import load_config
from ckan.config.middleware import make_app
app = make_app(load_config(os.environ["CKAN_INI"]))
import ckan.plugins.toolkit as tk
with app._wsgi_app.test_request_context():
    user = tk.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
    context = {"ignore_auth": True, "user": user}
    package = tk.get_action("package_create")(dict(context), {"name": "readings"})
    made = tk.get_action("datastore_create")(dict(context), {
        "resource": {"package_id": package["id"]}, "fields": json.loads(sys.argv[1])})
    print("made", made["resource_id"])
"""


class _WithDataStore(CkanIni):
    def options(self) -> dict[str, str]:
        at = self.database_url.rpartition("@")[2].rpartition("/")[0]
        return super().options() | {
            "ckan.plugins": "hanoiic_search datastore",
            "ckan.auth.create_unowned_dataset": "true",
            "ckan.datastore.sqlsearch.enabled": "true",
            "ckan.datastore.write_url": f"{self.database_url.rpartition('/')[0]}/{DATABASE}",
            "ckan.datastore.read_url": f"postgresql://{READER}:{PASSWORD}@{at}/{DATABASE}",
        }


@contextlib.contextmanager
def ckan(
    folder: Path, table: str, rows: duckdb.DuckDBPyConnection
) -> Iterator[Callable[[str], object]]:
    """A function that asks CKAN for SQL over `table`, which holds `rows`: the `FIELDS`."""
    with (
        servers.temporary_home("hanoiic-bench-ckan-") as home,
        servers.postgres(home) as database,
        servers.valkey(home) as valkey,
    ):
        port = servers.free_port()
        _prepare(database)
        environ = {**os.environ, "CKAN_INI": str(_ini(home, database, valkey.url, port))}
        name = _table(environ, database)
        _fill(database, name, rows)
        command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", "2",
                   "--keep-alive", "75", "--no-control-socket", "-k", "gthread", "--threads", "4",
                   "ckanext.hanoiic.wsgi:application"]  # fmt: skip
        with (folder / "ckan.log").open("wb") as log:
            process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=900)

            def ask(sql: str) -> bytes:
                body = json.dumps({"sql": sql.replace(table, f'"{name}"')})
                headers = {"Content-Type": "application/json"}
                try:
                    connection.request("POST", "/api/3/action/datastore_search_sql", body, headers)
                    answer = connection.getresponse()
                    content = answer.read()
                except (OSError, http.client.HTTPException):
                    connection.close()
                    raise
                assert answer.status == 200, content[:500]
                return content

            servers.wait_for(lambda: _answers(ask, table), "CKAN", timeout_s=120)
            yield ask
        finally:
            process.terminate()
            process.wait()


def _answers(ask: Callable[[str], object], table: str) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return bool(ask(f"SELECT id FROM {table} LIMIT 1"))
    return False


def _prepare(database: EmbeddedPostgres) -> None:
    with database.superuser() as connection:
        connection.autocommit = True
        connection.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'")
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {PORTAL_ROLE} ENCODING 'UTF8'"
                           " TEMPLATE template0")  # fmt: skip


def _ini(home: Home, database: EmbeddedPostgres, valkey_url: str, port: int) -> Path:
    address = database.url(PORTAL_ROLE, home.secret("database_portal"))
    _WithDataStore.of(
        home, database_url=address, redis_url=valkey_url, site_url=f"http://127.0.0.1:{port}",
        gateway_url="http://127.0.0.1:9", gateway_internal_url="http://127.0.0.1:9",
        log_level="WARNING",
    ).write(home.ckan_ini)  # fmt: skip
    return home.ckan_ini


def _table(environ: dict[str, str], database: EmbeddedPostgres) -> str:
    ckan = [sys.executable, "-m", "ckanext.hanoiic", "-c", environ["CKAN_INI"]]
    subprocess.run([*ckan, "db", "upgrade"], check=True, env=environ, capture_output=True)
    permissions = subprocess.run(
        [*ckan, "datastore", "set-permissions"], check=True, env=environ, capture_output=True
    ).stdout.decode()
    statements = [line for line in permissions.splitlines() if not line.startswith("\\")]
    with database.superuser(DATABASE) as connection:
        connection.execute("\n".join(statements))
    fields = [{"id": name, "type": kind} for name, kind in FIELDS.items()]
    made = subprocess.run(
        [sys.executable, "-c", _MAKE, json.dumps(fields)],
        check=True, env=environ, stdout=subprocess.PIPE,
    ).stdout.decode()  # fmt: skip
    return made.split()[-1]


def _fill(database: EmbeddedPostgres, name: str, rows: duckdb.DuckDBPyConnection) -> None:
    with database.superuser(DATABASE) as connection:
        # Its texts are indexed row by row, which these queries do not use.
        connection.execute(f'ALTER TABLE "{name}" DISABLE TRIGGER USER')
        columns = ", ".join(FIELDS)
        with connection.cursor().copy(f'COPY "{name}" ({columns}) FROM STDIN') as copy:
            while batch := rows.fetchmany(50_000):
                for row in batch:
                    copy.write_row(row)
        connection.commit()
        connection.autocommit = True
        connection.execute(f'VACUUM ANALYZE "{name}"')
