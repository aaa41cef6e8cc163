"""The queue's PostgreSQL: its address with its schema, and what has to be there before work."""

from __future__ import annotations

import psycopg
from procrastinate import App, PsycopgConnector
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harvesters.presence import Presence
from harvesters.receipts import Receipts
from harvesters.tries import Tries

SCHEMA = "harvest"
# Two processes may migrate at once; the first one does it all.
_LOCK = 7_265_001


def address(database_url: str) -> str:
    """The database's address with everything in the room's own schema."""
    return make_conninfo(database_url, options=f"-c search_path={SCHEMA}")


def queue(conninfo: str) -> App:
    """procrastinate on that database; opened by whoever uses it."""
    return App(connector=PsycopgConnector(conninfo=conninfo))


def migrate(conninfo: str) -> None:
    """Make the schema, the job queue and the room's own tables where they are missing."""
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        exists = connection.execute(
            "SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,)
        ).fetchone()
        if not exists:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        (jobs,) = connection.execute(
            "SELECT to_regclass(%s)", (f"{SCHEMA}.procrastinate_jobs",)
        ).fetchone() or (None,)
        if jobs is None:
            with queue(conninfo).open() as app:
                app.schema_manager.apply_schema()
        for memory in (Receipts(conninfo), Presence(conninfo), Tries(conninfo)):
            memory.migrate()
