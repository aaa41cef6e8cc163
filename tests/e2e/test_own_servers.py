"""A PostgreSQL and a Valkey of the operator's own take the place of the embedded ones."""

from __future__ import annotations

import json

import psycopg
import pytest
import requests

from tests.e2e.conftest import environment_of, hanoiic, tails
from tests.servers import postgres, temporary_home, valkey, wait_for

pytestmark = pytest.mark.e2e


SCHEMAS = {"harvest", "hanoiic_search", "public"}


def schemas_of(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace")}


def test_the_portal_runs_on_servers_given_by_url(tmp_path):
    with temporary_home("hanoiic-own-") as home, postgres(home) as database, valkey(home) as cache:
        with database.superuser() as connection:
            connection.execute("CREATE ROLE city LOGIN PASSWORD 'own-password'")
            connection.execute("CREATE DATABASE catalogue OWNER city TEMPLATE template0")
        url = f"postgresql://city:own-password@127.0.0.1:{database.port}/catalogue"
        environment = environment_of(
            tmp_path / "portal", HANOIIC_DATABASE_URL=url, HANOIIC_REDIS_URL=cache.url
        )
        try:
            done = hanoiic(environment, "up", "--no-demo", "--detach", timeout_s=300)
            assert done.returncode == 0, done.stdout + done.stderr + tails(tmp_path / "portal")
            status = hanoiic(environment, "status", "--json", timeout_s=30)
            programs = {row["name"]: row["state"] for row in json.loads(status.stdout)["programs"]}
            assert set(programs) == {"portal", "portal-jobs", "gateway", "flight", "harvest"}
            assert set(programs.values()) == {"running"}
            found = requests.get(
                f"http://127.0.0.1:{environment['HANOIIC_PORTAL_PORT']}"
                "/api/3/action/package_search",
                timeout=30,
            )
            assert found.json()["result"]["count"] == 0
            wait_for(lambda: schemas_of(url) >= SCHEMAS, "the schemas of every room")
        finally:
            hanoiic(environment, "down", timeout_s=90)
