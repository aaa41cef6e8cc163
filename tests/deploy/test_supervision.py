"""The supervisor keeps real servers alive, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import psycopg
import pytest

from deploy import cli, doctor, ports
from deploy.errors import NotRunning, SupervisorLost
from deploy.home import Home
from deploy.postgres import DATABASE, PORTAL_ROLE, EmbeddedPostgres
from deploy.processes import process_lives
from deploy.settings import Settings
from deploy.supervision import Supervisor
from deploy.supervisord_conf import Program, configuration
from deploy.valkey import EmbeddedValkey
from tests.servers import free_port, temporary_home, wait_for


@pytest.fixture
def home() -> Iterator[Home]:
    with temporary_home() as made:
        yield made


@pytest.fixture
def servers(home: Home) -> Iterator[tuple[Supervisor, EmbeddedPostgres, EmbeddedValkey]]:
    postgres = EmbeddedPostgres.at(home, free_port())
    valkey = EmbeddedValkey.at(home, free_port())
    postgres.prepare(home)
    valkey.prepare()
    supervisor = Supervisor(home)
    process = supervisor.start(
        [
            Program("postgres", postgres.command, user=postgres.system_user, stop_signal="INT"),
            Program("valkey", valkey.command),
        ]
    )
    for name, answers in (("postgres", postgres.answers), ("valkey", valkey.answers)):
        supervisor.start_program(name)
        wait_for(answers, name)
    yield supervisor, postgres, valkey
    if supervisor.is_running():
        supervisor.stop()
    process.wait(30)


def pid_of(supervisor: Supervisor, name: str) -> int:
    return next(row["pid"] for row in supervisor.programs() if row["name"] == name) or 0


def test_doctor_waits_for_no_database_that_hangs(home, servers, monkeypatch):
    monkeypatch.setattr(doctor, "INDEX_TIMEOUT_S", 0.1)
    [finding] = doctor.check_search_index(Settings(), home)
    assert not finding.ok
    assert "not told within" in finding.text


def test_killed_servers_are_back_within_seconds_and_lose_nothing(home, servers):
    supervisor, postgres, valkey = servers
    postgres.ensure_roles("portal-password", "harvest-password")
    url = postgres.url(PORTAL_ROLE, "portal-password", DATABASE)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    for name, answers in (("postgres", postgres.answers), ("valkey", valkey.answers)):
        before = pid_of(supervisor, name)
        os.kill(before, signal.SIGKILL)
        wait_for(lambda n=name, b=before: pid_of(supervisor, n) not in {0, b}, f"a new {name}")
        wait_for(answers, name, timeout_s=15)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_stop_leaves_no_process(servers):
    supervisor, _postgres, _valkey = servers
    pids = [row["pid"] for row in supervisor.programs()]
    assert all(process_lives(pid) for pid in pids)
    supervisor.stop()
    assert not any(process_lives(pid) for pid in pids)
    assert not supervisor.is_running()


def test_stop_takes_orphans_of_a_killed_child_along(home):
    """A program dies by -9 and leaves a child of its own: it goes with the rest."""
    (home.run / "parent.sh").write_text('sleep 1000 & echo $! > "$1"; wait\n')
    orphan_file = home.run / "orphan.pid"
    script = ["/bin/sh", str(home.run / "parent.sh"), str(orphan_file)]
    supervisor = Supervisor(home)
    process = supervisor.start([Program("parent", script)])
    supervisor.start_program("parent")
    wait_for(lambda: orphan_file.exists() and orphan_file.read_text().strip() != "", "the orphan")
    orphan = int(orphan_file.read_text())
    os.kill(pid_of(supervisor, "parent"), signal.SIGKILL)
    assert process_lives(orphan)
    supervisor.stop()
    process.wait(30)
    wait_for(lambda: not process_lives(orphan), "the end of the orphan")


def test_children_of_a_killed_supervisor_are_named_and_ended(servers):
    supervisor, postgres, _valkey = servers
    pids = [row["pid"] for row in supervisor.programs()]
    os.kill(supervisor.client().getPID(), signal.SIGKILL)
    wait_for(lambda: not supervisor.is_running(), "the supervisor's end")
    assert postgres.answers()
    with pytest.raises(NotRunning, match=r"processes of a killed supervisor.*hanoiic down"):
        supervisor.programs()
    supervisor.stop()
    # At once: a start that follows finds their ports free.
    assert not any(process_lives(pid) for pid in pids)
    with pytest.raises(NotRunning, match="is not running"):
        supervisor.stop()


def test_children_of_a_supervisor_that_is_still_ending_are_found(home):
    supervisor = Supervisor(home)
    script = ["/bin/sh", "-c", "sleep 600 & exec sleep 1"]
    with subprocess.Popen(script, start_new_session=True) as ending:
        supervisor.pid_file.write_text(str(ending.pid))
        assert supervisor.clear_leftovers() == 1


def test_processes_of_another_boot_are_nobodys_leftovers(servers):
    supervisor, postgres, _valkey = servers
    os.kill(supervisor.client().getPID(), signal.SIGKILL)
    wait_for(lambda: bool(supervisor.leftovers()), "the supervisor's end")
    written = supervisor.pid_file.stat().st_mtime
    os.utime(supervisor.pid_file, (1, 1))
    # The number may be another session's since.
    assert supervisor.leftovers() == []
    assert postgres.answers()
    os.utime(supervisor.pid_file, (written, written))
    assert supervisor.clear_leftovers()


def test_a_reset_ends_what_a_killed_supervisor_left(home, servers, monkeypatch):
    supervisor, _postgres, _valkey = servers
    pids = [row["pid"] for row in supervisor.programs()]
    ports.kept_ports(home.etc / "ports.json")
    os.kill(supervisor.client().getPID(), signal.SIGKILL)
    wait_for(lambda: not supervisor.is_running(), "the supervisor's end")
    monkeypatch.setenv("HANOIIC_HOME", str(home.root))
    assert cli.main(["reset", "--yes"]) == 0
    assert not any(process_lives(pid) for pid in pids)
    assert not home.root.exists()


def test_a_supervisor_that_is_killed_is_no_good_end_of_up(home):
    supervisor = Supervisor(home)
    process = supervisor.start([Program("sleeper", ["/bin/sleep", "600"])])
    supervisor.start_program("sleeper")
    wait_for(lambda: pid_of(supervisor, "sleeper"), "the sleeper")
    sleeper = pid_of(supervisor, "sleeper")
    process.kill()
    with pytest.raises(SupervisorLost):
        supervisor.stay(process)
    assert not process_lives(sleeper)


def test_a_full_disk_does_not_end_the_supervisor(home):
    for log in ("supervisord.out", "supervisord.log", "talker.log"):
        (home.logs / log).symlink_to("/dev/full")
    supervisor = Supervisor(home)
    process = supervisor.start([Program("talker", ["/bin/sh", "-c", "echo said; exec sleep 600"])])
    supervisor.start_program("talker")
    wait_for(lambda: pid_of(supervisor, "talker"), "the talker")
    time.sleep(2)
    assert supervisor.is_running()
    supervisor.stop()
    supervisor.stay(process)


def test_a_start_that_is_stopped_meanwhile_says_so(home):
    supervisor = Supervisor(home)
    process = supervisor.start([Program("sleeper", ["/bin/sleep", "600"])])
    supervisor.stop()
    with pytest.raises(NotRunning):
        supervisor.start_program("sleeper")
    supervisor.stay(process)


def test_status_of_a_stopped_portal_clears_a_stale_pid_file(home):
    (home.run / "supervisord.pid").write_text("4194999\n")
    with pytest.raises(NotRunning, match=r"not running.*stale pid file of process 4194999"):
        Supervisor(home).programs()
    assert not (home.run / "supervisord.pid").exists()


def test_configuration_keeps_percent_signs_quotes_and_spaces(home):
    text = configuration(home, [Program("p", ["/bin/echo", "a b", "50%"], {"X": 'say "hi" 5%'})])
    assert "command=/bin/echo 'a b' 50%%\n" in text
    assert 'environment=X="say \\"hi\\" 5%%"\n' in text


def test_roles_can_be_ensured_again_with_new_passwords(servers):
    _supervisor, postgres, _valkey = servers
    postgres.ensure_roles("first", "first")
    postgres.ensure_roles("second", "second")
    psycopg.connect(postgres.url(PORTAL_ROLE, "second")).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url(PORTAL_ROLE, "first"))
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(postgres.url(PORTAL_ROLE, "second", "postgres"))
