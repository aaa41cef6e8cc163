"""The audit on the real embedded server: what its role may do to it, and what a check finds."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from ckanext.hanoiic.licensing import audit_command

from deploy.audit_schema import ensure_audit
from deploy.home import Home
from deploy.postgres import DATABASE, PORTAL_ROLE, EmbeddedPostgres
from tests.servers import postgres, temporary_home

PASSWORD = "portal-password"
ENTRIES = 12


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Home, EmbeddedPostgres]]:
    with temporary_home() as home, postgres(home) as running:
        running.ensure_roles(PASSWORD, "harvest-password")
        yield home, running


@dataclass
class Audited:
    """A home with its database, and ``hanoiic audit`` for it."""

    home: Home
    server: EmbeddedPostgres

    def portal(self) -> psycopg.Connection:
        return psycopg.connect(self.server.url(PORTAL_ROLE, PASSWORD), autocommit=True)

    def superuser(self) -> psycopg.Connection:
        return self.server.superuser(DATABASE)

    def write(self, count: int = ENTRIES) -> None:
        with self.portal() as connection:
            for number in range(count):
                add(connection, f"event_{number}")

    def tamper(self, *statements: str) -> None:
        """As the owner of everything would, with the guard out of the way."""
        with self.superuser() as connection:
            connection.execute("ALTER TABLE hanoiic_audit.entry DISABLE TRIGGER keep_entries")
            for statement in statements:
                connection.execute(statement)

    def run(self, what: str, *more: str) -> tuple[int, str]:
        ini = self.home.etc / "ckan.ini"
        ini.write_text(
            "[app:main]\n"
            f"sqlalchemy.url = {self.server.url(PORTAL_ROLE, PASSWORD)}\n"
            f"hanoiic.audit_key_file = {self.home.signing_key('audit_signing.key')}\n"
            f"hanoiic.audit_checkpoints_file = {self.checkpoints}\n"
        )
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = audit_command.main([what, "--ini", str(ini), *more])
        return code, said.getvalue()

    @property
    def checkpoints(self) -> Path:
        return self.home.audit / "checkpoints.jws"


def add(connection: psycopg.Connection, event: str) -> None:
    connection.execute(
        "INSERT INTO hanoiic_audit.intake (event, actor_id, facts) VALUES (%s, 'ai đó', %s)",
        (event, '{"lý do": "vì thế"}'),
    )


@pytest.fixture
def audited(server) -> Audited:
    """The portal's own database, with an audit that is new."""
    home, running = server
    with running.superuser(DATABASE) as connection:
        connection.execute("DROP SCHEMA hanoiic_audit CASCADE")
        ensure_audit(connection, PORTAL_ROLE)
    made = Audited(home, running)
    made.checkpoints.unlink(missing_ok=True)
    return made


FORBIDDEN = {
    "edit": "UPDATE hanoiic_audit.entry SET content = '{}'",
    "delete": "DELETE FROM hanoiic_audit.entry",
    "truncate": "TRUNCATE hanoiic_audit.entry",
    "add past the chain": "INSERT INTO hanoiic_audit.entry VALUES (99, '{}', '')",
    "drop the table": "DROP TABLE hanoiic_audit.entry",
    "drop the schema": "DROP SCHEMA hanoiic_audit CASCADE",
    "drop the guard": "DROP TRIGGER keep_entries ON hanoiic_audit.entry",
    "drop the chaining": "DROP TRIGGER append ON hanoiic_audit.intake",
    "switch the guard off": "ALTER TABLE hanoiic_audit.entry DISABLE TRIGGER ALL",
    "switch every trigger off": "SET session_replication_role = replica",
    "exchange the function": "CREATE OR REPLACE FUNCTION hanoiic_audit.append() RETURNS trigger "
    "LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "drop the function": "DROP FUNCTION hanoiic_audit.append() CASCADE",
    "call the function": "SELECT hanoiic_audit.append()",
    "own it": f"ALTER TABLE hanoiic_audit.entry OWNER TO {PORTAL_ROLE}",
    "rename it": "ALTER SCHEMA hanoiic_audit RENAME TO gone",
    "become its owner": "SET ROLE hanoiic_audit",
    "grant itself more": f"GRANT ALL ON hanoiic_audit.entry TO {PORTAL_ROLE}",
    "date back": "INSERT INTO hanoiic_audit.intake (at, event, facts) VALUES (now(), 'e', '{}')",
    "read the intake": "SELECT * FROM hanoiic_audit.intake",
    "empty the intake": "DELETE FROM hanoiic_audit.intake",
    "put a table of its own there": "CREATE TABLE hanoiic_audit.mine (id int)",
    "add a trigger of its own": "CREATE TRIGGER mine BEFORE INSERT ON hanoiic_audit.intake "
    "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "add a rule": "CREATE RULE mine AS ON INSERT TO hanoiic_audit.intake DO INSTEAD NOTHING",
}


def test_the_portals_role_adds_and_reads_and_nothing_else(audited):
    audited.write()
    with audited.portal() as connection:
        allowed = {}
        for what, statement in FORBIDDEN.items():
            try:
                connection.execute(statement)
                allowed[what] = statement
            except psycopg.errors.InsufficientPrivilege:
                pass
            except psycopg.errors.FeatureNotSupported:
                assert what == "call the function"
        # GRANT by one who may not warns and grants nothing.
        allowed.pop("grant itself more", None)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(FORBIDDEN["delete"])
        assert allowed == {}
        count = connection.execute("SELECT count(*) FROM hanoiic_audit.entry").fetchone()
    assert count == (ENTRIES,)
    assert audited.run("verify")[0] == 0


def test_what_is_rolled_back_is_not_in_the_chain_and_leaves_no_gap(audited):
    with audited.portal() as connection:
        add(connection, "first")
        with connection.transaction(force_rollback=True):
            add(connection, "taken back")
        with connection.transaction():
            with connection.transaction(force_rollback=True):
                add(connection, "taken back in a savepoint")
            add(connection, "second")
        rows = connection.execute(
            "SELECT number, event, actor_id, facts FROM hanoiic_audit.entry ORDER BY number"
        ).fetchall()
    facts = {"lý do": "vì thế"}
    assert rows == [(1, "first", "ai đó", facts), (2, "second", "ai đó", facts)]


def test_parallel_writers_make_one_chain_and_wait_for_a_commit_only(audited):
    writers, each = 8, 25

    def write() -> None:
        with audited.portal() as connection:
            for number in range(each):
                add(connection, f"event_{number}")

    with audited.portal() as slow:
        # A transaction that has added and goes on for long holds nobody up.
        with slow.transaction():
            add(slow, "of a long transaction")
            threads = [threading.Thread(target=write) for _ in range(writers)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in threads)
        events = slow.execute("SELECT count(*), max(number) FROM hanoiic_audit.entry").fetchone()
    assert events == (writers * each + 1, writers * each + 1)
    assert audited.run("verify")[0] == 0


EDIT = "UPDATE hanoiic_audit.entry SET content = replace(content, 'event_', 'other_')"
# What is done → (exit code, a word of what is told); everything is checkpointed before.
TAMPERED = {
    "an entry is edited": ([f"{EDIT} WHERE number = 5"], "entry 5 is not what was written"),
    "the first is edited": ([f"{EDIT} WHERE number = 1"], "entry 1 is not what was written"),
    "a hash is edited": (
        ["UPDATE hanoiic_audit.entry SET hash = sha256('x') WHERE number = 7"],
        "entry 7 is not what was written",
    ),
    "only what queries see is edited": (
        [
            "ALTER TABLE hanoiic_audit.entry ALTER event DROP EXPRESSION",
            "UPDATE hanoiic_audit.entry SET event = 'harmless' WHERE number = 6",
        ],
        "entry 6 is not what was written",
    ),
    "one is deleted": (
        ["DELETE FROM hanoiic_audit.entry WHERE number = 4"],
        "entry 4 is missing (4 to 4 are)",
    ),
    "several are deleted": (
        ["DELETE FROM hanoiic_audit.entry WHERE number BETWEEN 3 AND 8"],
        "entry 3 is missing (3 to 8 are)",
    ),
    "the tail is cut": (
        [f"DELETE FROM hanoiic_audit.entry WHERE number > {ENTRIES - 2}"],
        f"entry {ENTRIES - 1} is missing, with all after it",
    ),
    "all is truncated": (["TRUNCATE hanoiic_audit.entry"], "entry 1 is missing, with all after it"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_case_25_audit_edited_deleted_or_truncated_is_named(audited, how):
    audited.write()
    assert audited.run("checkpoint")[0] == 0
    code, told = audited.run("verify")
    assert (code, f"{ENTRIES} entries, 1 checkpoints" in told) == (0, True), told
    statements, said = TAMPERED[how]
    audited.tamper(*statements)
    code, told = audited.run("verify")
    assert code == 1
    assert said in told


def test_case_25_a_chain_written_anew_is_told_by_the_checkpoint(audited):
    audited.write(6)
    audited.run("checkpoint")
    audited.write(2)
    audited.run("checkpoint")
    audited.tamper("TRUNCATE hanoiic_audit.entry")
    audited.write(6)
    code, told = audited.run("verify")
    assert code == 1
    assert "from 1 to 6 was rewritten" in told


def test_case_25_checkpoints_that_were_altered_are_told(audited):
    for count in (3, 2, 2):
        audited.write(count)
        assert audited.run("checkpoint")[0] == 0
    assert "signed already" in audited.run("checkpoint")[1]
    lines = audited.checkpoints.read_text().splitlines()
    assert len(lines) == 3
    head, body, signature = lines[1].split(".")
    for altered, line in (
        ([lines[0], f"{head}.{body[:-4]}AAAA.{signature}", lines[2]], 2),
        ([lines[0], lines[2]], 2),
        (lines[1:], 1),
        ([*lines, "nonsense"], 4),
        ([*lines, "vô nghĩa"], 4),
    ):
        audited.checkpoints.write_text("\n".join(altered) + "\n")
        code, told = audited.run("verify")
        assert (code, f"checkpoint in line {line}" in told) == (1, True), told


def test_a_checkpoint_that_was_not_written_in_full_is_written_anew(audited):
    audited.write(2)
    audited.run("checkpoint")
    whole = audited.checkpoints.read_text()
    audited.checkpoints.write_text(whole + whole[:40])
    audited.write(2)
    assert audited.run("verify")[0] == 0
    assert "Signed" in audited.run("checkpoint")[1]
    assert audited.checkpoints.read_text().startswith(whole)
    code, told = audited.run("verify")
    assert (code, "2 checkpoints" in told) == (0, True), told


def test_a_check_that_cannot_be_made_is_no_sound_one(audited, tmp_path):
    code, told = audited.run("verify", "--key", str(tmp_path / "nowhere"))
    assert code == 2
    assert "nowhere" in told
