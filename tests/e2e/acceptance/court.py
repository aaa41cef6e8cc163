"""The court of the acceptance cases: people, datasets and doors of the whole running portal.

A department publishes, a startup holds agreements, a second organisation holds none. Tables are put
into the lake as a harvest would, editions are written by the portal's own harvest worker, and
everything is asked over HTTP (or gRPC) as those people would ask.
"""

from __future__ import annotations

import io
import json
import os
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as flightsql
import ckanapi
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import redis
import requests
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import Error as FlightError

from lake import Lake, Provenance
from tests.e2e.conftest import Stack
from tests.servers import wait_for

SHARE = "/v1/share/shares/hanoi/schemas"
OBEYED_WITHIN_S = 5.0


class Court:
    """People by name: ``founder`` and ``developer`` of the startup, ``officer`` (editor), ``head``
    (admin) and ``clerk`` (member) of the department, ``stranger`` of another organisation."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.home = stack, stack.home
        mark = uuid.uuid4().hex[:6]
        self.mark = mark
        self.operator = self.ckan(self.secret("operator_credential"))
        self.credentials: dict[str, str] = {}
        for name in ("founder", "developer", "officer", "head", "clerk", "stranger"):
            user = f"{name}-{mark}"
            self.operator.action.user_create(
                name=user, email=f"{user}@portal.invalid", password=os.urandom(12).hex()
            )
            made = self.operator.action.api_token_create(user=user, name="acceptance")
            self.credentials[name] = made["token"]
        self.startup = self._organization("startup", founder="admin", developer="member")
        self.department = self._organization(
            "department", officer="editor", head="admin", clerk="member"
        )
        self._organization("elsewhere", stranger="admin")

    def _organization(self, name: str, **roles: str) -> str:
        users = [
            {"name": f"{who}-{self.mark}", "capacity": capacity} for who, capacity in roles.items()
        ]
        slug = f"{name}-{self.mark}"
        self.operator.action.organization_create(name=slug, title=slug, users=users)
        return slug

    # The portal

    def secret(self, name: str) -> str:
        return (self.home / "secrets" / name).read_text("utf-8").strip()

    def ckan(self, credential: str | None) -> ckanapi.RemoteCKAN:
        return ckanapi.RemoteCKAN(self.portal_url, apikey=credential)

    def act(self, who: str | None, action: str, /, **data: Any) -> Any:
        """One action as a person, the ``operator``, the ``gateway`` or nobody."""
        if who == "operator":
            remote = self.operator
        elif who == "gateway":
            remote = self.ckan(self.secret("gateway_credential"))
        else:
            remote = self.ckan(self.credentials[who] if who else None)
        return remote.call_action(action, data, requests_kwargs={"timeout": 60})

    @property
    def portal_url(self) -> str:
        return self.stack.portal_url

    @cached_property
    def database(self) -> psycopg.Connection:
        """The portal's database in the portal's own role; each statement commits."""
        text = (self.home / "etc/ckan.ini").read_text("utf-8")
        line = next(one for one in text.splitlines() if one.startswith("sqlalchemy.url"))
        url = line.partition("=")[2].strip().replace("%%", "%")
        return psycopg.connect(url, autocommit=True)

    def readable_tables(self) -> list[str]:
        """Every table of the database that the portal's role may read."""
        rows = self.database.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND CASE "
            "WHEN has_schema_privilege(schemaname, 'USAGE') "
            "THEN has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT') END"
        )
        return [name for (name,) in rows]

    @cached_property
    def valkey(self) -> redis.Redis:
        return redis.Redis.from_url(self.secret("redis_url"))

    # Data

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.home / "lake")

    def publish(self, table: str, rows: pa.Table) -> None:
        self.lake.table(table).publish(rows.to_batches(), Provenance(), schema=rows.schema)

    def dataset(self, tier: str, tables: dict[str, pa.Table], **fields: Any) -> dict[str, Any]:
        """A dataset of the department; a table's name gets the court's mark: see :meth:`name`."""
        resources = []
        for name, rows in tables.items():
            table = self.name(name)
            self.publish(table, rows)
            columns = [{"name": one.name, "type": _TYPES[str(one.type)]} for one in rows.schema]
            resources.append(
                {
                    "name": name,
                    "format": "CSV",
                    "url": f"{self.stack.gateway_url}/v1/tables/{table}/download.csv",
                    "lake_table": table,
                    "lake_version": 1,
                    "columns": columns,
                }
            )
        first = next(iter(tables)).replace("_", "-")
        return self.operator.action.package_create(
            name=f"{first}-{self.mark}", title=first, notes=first, owner_org=self.department,
            license_id="hanoi-open-data", access_tier=tier, resources=resources, **fields,
        )  # fmt: skip

    def name(self, table: str) -> str:
        return f"{table}_{self.mark}"

    def offer(self, dataset: dict[str, Any], tier: str, **terms: Any) -> dict[str, Any]:
        given = {"licence": "hanoi-open-data", **terms}
        return self.act(
            "officer", "hanoiic_offer_update", dataset=dataset["id"], tier=tier, **given
        )

    def accepted(self, dataset: dict[str, Any], who: str = "founder") -> dict[str, Any]:
        return self.act(who, "hanoiic_agreement_accept", dataset=dataset["id"])

    def token(self, who: str = "founder", **fields: Any) -> str:
        fields.setdefault("scopes", ["query", "download", "share"])
        return self.act(who, "hanoiic_token_create", name=uuid.uuid4().hex, **fields)["token"]

    def reason(self, table: str, token: str | None) -> str | None:
        """Why a caller may not read a table; None: it may."""
        answer = self.stack.sql(f"SELECT 1 FROM {table} LIMIT 1", token)
        told = {} if answer.ok else answer.json()
        return None if answer.ok else str(told.get("reason") or told["code"])

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        wait_for(condition, what, OBEYED_WITHIN_S)

    # Doors: each answers (HTTP status, problem or None, everything that came as text).

    def door(self, name: str, table: str, token: str | None) -> tuple[int, dict[str, Any], str]:
        return DOORS[name](self, table, token)

    def http(
        self, method: str, path: str, token: str | None, **more: Any
    ) -> tuple[int, dict[str, Any], str]:
        return told(self.stack.gateway(method, path, token, **more))

    def flight(self, table: str, token: str | None) -> tuple[int, dict[str, Any], str]:
        given = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"} if token else {}
        address = str(self.stack.demo["flight_url"])
        try:
            with flightsql.connect(address, db_kwargs=given) as one, one.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {table}")
                return 200, {}, str(cursor.fetch_arrow_table().to_pylist())
        except FlightError as error:
            named = "table_not_found" in str(error)
            status = 404 if named else _STATUS_OF_FLIGHT.get(error.status_code.name, 500)
            return status, {}, str(error)

    def export(self, table: str, token: str | None) -> tuple[int, dict[str, Any], str]:
        body = {"sql": f"SELECT * FROM {table}", "format": "csv"}
        made = self.stack.gateway("POST", "/v1/exports", token, json=body)
        if made.status_code != requests.codes.accepted:
            return told(made)
        path = made.headers["Location"].removeprefix(self.stack.gateway_url)
        state: dict[str, Any] = {}

        def ended() -> bool:
            state.update(self.stack.gateway("GET", path, token).json())
            return state["state"] not in ("queued", "running")

        wait_for(ended, "the export", 30)
        url = str(state["result_url"]).removeprefix(self.stack.gateway_url)
        return told(self.stack.gateway("GET", url, token))

    def shared(self, table: str, token: str | None) -> tuple[int, dict[str, Any], str]:
        path = f"{SHARE}/{self.department}/tables/{table}/query"
        answer = self.stack.gateway("POST", path, token, json={})
        if not answer.ok:
            return told(answer)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        files = [requests.get(one["file"]["url"], timeout=30) for one in lines if "file" in one]
        return 200, {}, answer.text + "".join(told(one)[2] for one in files)

    def linked(self, table: str, token: str | None) -> tuple[int, dict[str, Any], str]:
        made = self.stack.gateway("POST", f"/v1/tables/{table}/links", token, json={})
        return told(requests.get(made.json()["url"], timeout=30)) if made.ok else told(made)


def told(answer: requests.Response) -> tuple[int, dict[str, Any], str]:
    """Status, problem and all text of an answer; a Parquet file's rows and metadata as text."""
    if "problem+json" in answer.headers.get("Content-Type", ""):
        return answer.status_code, answer.json(), answer.text
    if not answer.content.startswith(b"PAR1"):
        return answer.status_code, {}, answer.text
    file = pq.ParquetFile(io.BytesIO(answer.content))
    told_of_itself = f"{file.metadata.to_dict()}{file.schema_arrow.metadata}"
    raw = answer.content.decode("latin-1")
    return answer.status_code, {}, f"{file.read().to_pylist()}{told_of_itself}{raw}"


def _get(path: str) -> Any:
    return lambda court, table, token: court.http("GET", path.format(table=table), token)


def _sql(format_name: str) -> Any:
    def ask(court: Court, table: str, token: str | None) -> tuple[int, dict[str, Any], str]:
        body = {"sql": f"SELECT * FROM {table}", "format": format_name}
        return court.http("POST", "/v1/sql", token, json=body)

    return ask


DOORS: dict[str, Callable[[Court, str, str | None], tuple[int, dict[str, Any], str]]] = {
    "sql": _sql("json"),
    "sql parquet": _sql("parquet"),
    "rows": _get("/v1/tables/{table}/rows"),
    "rest": _get("/v1/rest/{table}"),
    "download csv": _get("/v1/tables/{table}/download.csv"),
    "download parquet": _get("/v1/tables/{table}/download.parquet"),
    "link": Court.linked,
    "export": Court.export,
    "share": Court.shared,
    "flight": Court.flight,
}
# Arrow Flight has no status of its own for what is not there.
_STATUS_OF_FLIGHT = {"UNAUTHORIZED": 403, "UNAUTHENTICATED": 401}
_TYPES = {"int64": "int64", "string": "string", "double": "float64", "bool": "boolean"}


def seconds_since(begun: float) -> float:
    return time.monotonic() - begun


def logs_of(home: Path) -> str:
    files = sorted((home / "logs").glob("*"))
    return "".join(one.read_text("utf-8", "replace") for one in files if one.is_file())
