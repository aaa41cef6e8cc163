"""What a person reads when something is wrong: one sentence, a code, and a non-zero exit."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import home as home_module
from deploy.errors import DiskFull
from deploy.home import Home, write_private
from deploy.ports import kept_ports
from deploy.settings import Settings
from tests.servers import free_port


def hanoiic(*arguments: str, input_text: str = "", **environment: str):
    """Run the command as a person would, in a clean environment."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        input=input_text,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            # A portal may be running on the default ports.
            "HANOIIC_PORTAL_PORT": str(free_port()),
            "HANOIIC_GATEWAY_PORT": str(free_port()),
            **environment,
        },
    )


def test_port_in_use_names_the_port_and_the_setting(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = hanoiic("up", HANOIIC_HOME=str(tmp_path / "h"), HANOIIC_PORTAL_PORT=str(port))
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
    assert "HANOIIC_PORTAL_PORT=" in done.stderr
    assert "[port_in_use]" in done.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("HANOIIC_PORTAL_PORT", "0"),
        ("HANOIIC_GATEWAY_PORT", "70000"),
        ("HANOIIC_PORTAL_URL", "data.example.vn"),
        ("HANOIIC_PORTAL_URL", "https://data.example.vn/portal"),
        ("HANOIIC_GATEWAY_URL", "ftp://api.example.vn"),
        ("HANOIIC_LOG_LEVEL", "loud"),
    ],
)
def test_a_value_that_no_start_can_use_is_refused_at_once(tmp_path, setting, value):
    done = hanoiic("up", HANOIIC_HOME=str(tmp_path / "h"), **{setting: value})
    assert done.returncode == 2
    assert f"{setting} must be" in done.stderr
    assert "[bad_setting]" in done.stderr
    assert not (tmp_path / "h").exists()


def test_portal_and_gateway_have_ports_of_their_own(tmp_path):
    port = str(free_port())
    ports = {"HANOIIC_PORTAL_PORT": port, "HANOIIC_GATEWAY_PORT": port}
    done = hanoiic("up", HANOIIC_HOME=str(tmp_path / "h"), **ports)
    assert "HANOIIC_GATEWAY_PORT must be" in done.stderr


def test_an_address_of_another_machine_is_named_by_its_setting(tmp_path):
    # TEST-NET-1 of RFC 5737.
    done = hanoiic("up", HANOIIC_HOME=str(tmp_path / "h"), HANOIIC_PORTAL_HOST="192.0.2.1")
    assert done.returncode == 1
    assert "correct HANOIIC_PORTAL_HOST" in done.stderr
    assert "[address_unusable]" in done.stderr


def test_settings_of_the_rooms_are_no_unknown_ones(tmp_path):
    rooms = {"HANOIIC_GATEWAY_TRUSTED_PROXIES": "127.0.0.1", "HANOIIC_HARVEST_RUN_GIB": "5"}
    done = hanoiic("status", HANOIIC_HOME=str(tmp_path), **rooms)
    assert "[not_running]" in done.stderr


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 (not bound)
        ("::", "[::1]"),
        ("10.0.0.7", "10.0.0.7"),
    ],
)
def test_a_server_is_reached_where_it_listens(host, reached):
    settings = Settings(portal_host=host)
    assert settings.portal_internal_url == f"http://{reached}:5000"
    public = "10.0.0.7" if host == "10.0.0.7" else "localhost"
    assert settings.public_portal_url == f"http://{public}:5000"


def test_status_says_where_the_running_portal_is_whatever_the_shell_has_set(tmp_path):
    home = Home(tmp_path)
    home.create()
    home.keep_addresses(Settings(portal_port=5001, gateway_url="https://api.example.vn"))
    found = home.addresses(Settings(portal_port=6001))
    assert found["portal_url"] == "http://localhost:5001"
    assert home.gateway_url(Settings()) == "https://api.example.vn"
    assert home.gateway_url(Settings(gateway_url="http://other.vn")) == "http://other.vn"


def test_unknown_setting_lists_the_valid_ones(tmp_path):
    done = hanoiic("status", HANOIIC_HOME=str(tmp_path), HANOIIC_PORTAL_PROT="1")
    assert done.returncode == 2
    assert "HANOIIC_PORTAL_PROT" in done.stderr
    assert "HANOIIC_PORTAL_PORT" in done.stderr


def test_home_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    done = hanoiic("up", HANOIIC_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert "[home_not_writable]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_little_disk_is_refused_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(home_module, "FREE_BYTES_NEEDED", 1 << 62)
    with pytest.raises(DiskFull, match="MiB are free"):
        Home(tmp_path / "home").create()


@pytest.mark.parametrize("command", ["status", "down"])
def test_commands_on_a_stopped_portal_say_so(tmp_path, command):
    done = hanoiic(command, HANOIIC_HOME=str(tmp_path / "none"))
    assert done.returncode == 1
    assert "is not running" in done.stderr


def test_reset_asks_and_deletes_only_a_portals_home(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    (home.root / "precious").write_text("x")
    refused = hanoiic("reset", "--yes", HANOIIC_HOME=str(home.root))
    assert refused.returncode == 1
    assert "not a portal's home" in refused.stderr
    kept_ports(home.etc / "ports.json")
    assert hanoiic("reset", HANOIIC_HOME=str(home.root), input_text="no\n").returncode == 1
    assert (home.root / "precious").exists()
    assert hanoiic("reset", HANOIIC_HOME=str(home.root), input_text="delete\n").returncode == 0
    assert not home.root.exists()


def test_a_reset_leaves_servers_of_ones_own_alone_and_says_so(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    kept_ports(home.etc / "ports.json")
    own = {"HANOIIC_DATABASE_URL": "postgresql://portal@127.0.0.1:1/portal"}
    done = hanoiic("reset", "--yes", HANOIIC_HOME=str(home.root), **own)
    assert done.returncode == 0
    assert "HANOIIC_DATABASE_URL stays there" in done.stdout
    assert "REDIS" not in done.stdout


def test_secrets_are_made_once_and_private(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    first = home.secret("ckan")
    assert home.secret("ckan") == first
    assert len(first) >= 32
    assert stat.S_IMODE(home.secret_file("ckan").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700


def test_inner_ports_are_kept_while_free_and_replaced_when_taken(tmp_path):
    first = kept_ports(tmp_path / "ports.json")
    assert kept_ports(tmp_path / "ports.json") == first
    with socket.create_server(("127.0.0.1", first["valkey"])):
        second = kept_ports(tmp_path / "ports.json")
    public = set(second.values())
    assert public.isdisjoint(kept_ports(tmp_path / "ports.json", public=public).values())
    assert second["valkey"] != first["valkey"]
    assert second["postgres"] == first["postgres"]


def test_private_file_is_replaced_whole(tmp_path):
    write_private(tmp_path / "f", "one")
    write_private(tmp_path / "f", "two")
    assert (tmp_path / "f").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_deep_home_gets_a_short_socket(tmp_path):
    deep = Home(Path("/") / ("x" * 120))
    assert len(os.fsencode(deep.supervisor_socket)) < 100
    assert Home(Path("/srv/portal")).supervisor_socket == Path("/srv/portal/run/supervisor.sock")


def test_doctor_reports_every_check_and_what_to_do(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = hanoiic("doctor", HANOIIC_HOME=str(tmp_path / "h"), HANOIIC_GATEWAY_PORT=str(port))
    assert done.returncode == 1
    assert f"✗ gateway port: {port} is in use; set HANOIIC_GATEWAY_PORT" in done.stdout
    for check in ("python", "packages", "disk", "home", "database"):
        assert f"✓ {check}" in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GATEWAY_WORKERS", "-3", "must be at least 0"),
        ("GATEWAY_TRUSTED_PROXIES", "the proxy", "must be addresses or networks"),
        ("HARVEST_MAX_MISSING_SHARE", "20", "must be from 0 to 1"),
    ],
)
def test_a_rooms_wrong_setting_is_told_before_anything_starts(tmp_path, name, value, said):
    done = hanoiic("up", HANOIIC_HOME=str(tmp_path / "h"), **{f"HANOIIC_{name}": value})
    assert done.returncode == 2
    assert f"HANOIIC_{name} {said}" in done.stderr
    assert not list((tmp_path / "h" / "postgres").glob("*"))


def test_a_database_address_that_ckan_cannot_read_is_refused_at_once(tmp_path):
    url = "postgresql://portal:p%40ss@127.0.0.1:1/portal"
    done = hanoiic("up", HANOIIC_HOME=str(tmp_path / "h"), HANOIIC_DATABASE_URL=url)
    assert done.returncode == 1
    assert "percent sign" in done.stderr
    assert "p%40ss" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("HANOIIC_DATABASE_URL", "postgresql://portal:secret-1@127.0.0.1:1/p", "database_failed"),
        ("HANOIIC_REDIS_URL", "redis://:secret-1@127.0.0.1:1/0", "cache_failed"),
        ("HANOIIC_REDIS_URL", "valkey.example:6379", "cache_failed"),
    ],
)
def test_a_server_that_does_not_answer_is_named_by_its_setting(tmp_path, setting, value, code):
    done = hanoiic("up", HANOIIC_HOME=str(tmp_path / "h"), **{setting: value})
    assert done.returncode == 1
    assert setting in done.stderr
    assert f"[{code}]" in done.stderr
    assert "secret-1" not in done.stdout + done.stderr


def test_a_reader_that_stops_early_gets_no_traceback(tmp_path):
    command = f"{sys.executable} -m deploy.cli audit sql | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "HANOIIC_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.startswith("-- The audit")
    assert done.stderr == ""
