"""What the pages offer to paste does what it says, as it is printed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ckanext.hanoiic.portal.recipes import TOKEN, recipes

pytest_plugins = ("portal_scene",)
GATEWAY = "https://api.example.vn"
SECRETS = "print(*duckdb.sql('SELECT scope, secret_string FROM duckdb_secrets()').fetchall()[0])"


@pytest.fixture(autouse=True)
def gateway(site, monkeypatch, ckan_config):
    monkeypatch.setitem(ckan_config, "hanoiic.gateway_url", GATEWAY)


def printed(key, *, with_token):
    return next(t.text for t in recipes("bus_stops", with_token=with_token) if t.key == key)


@pytest.mark.parametrize("with_token", [False, True])
@pytest.mark.parametrize("key", ["python", "duckdb"])
def test_what_is_printed_for_python_is_python(key, with_token):
    compile(printed(key, with_token=with_token), key, "exec")


def test_duckdb_sends_the_token_to_the_gateway_alone():
    signing_in, reading = printed("duckdb", with_token=True).split("table = ")
    assert f'"{GATEWAY}/v1/tables/bus_stops/download.parquet"' in reading

    done = subprocess.run(
        [sys.executable, "-c", signing_in + SECRETS],
        env={**os.environ, TOKEN: "hic_of_mine"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith(f"['{GATEWAY}/'] ")
    assert "bearer_token=" in done.stdout


def test_open_tables_are_read_without_a_token():
    assert not [one.key for one in recipes("bus_stops", with_token=False) if TOKEN in one.text]


@pytest.mark.parametrize("with_token", [False, True])
def test_programs_that_guess_types_are_given_a_format_that_has_them(with_token):
    told = {one.key: one.text for one in recipes("bus_stops", with_token=with_token)}
    for key in told.keys() & {"python", "duckdb", "r", "excel"}:
        assert "csv" not in told[key], key
