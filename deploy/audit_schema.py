"""The audit's schema in PostgreSQL, which belongs to a role that the portal can't become."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.errors import DatabaseFailed

# Owns the audit's schema, and nobody signs in as it: what the portal adds it can't change.
AUDIT_ROLE = "hanoiic_audit"
# What the portal's role may do there: read entries, and add to the intake.
AUDIT_RIGHTS = (
    "GRANT USAGE ON SCHEMA {} TO {}",
    "GRANT SELECT ON {}.entry TO {}",
    "GRANT INSERT (event, actor_id, dataset_id, subject_id, facts) ON {}.intake TO {}",
)


def ensure_audit(connection: psycopg.Connection, portal_role: str) -> None:
    """Make the audit's role, schema and tables, and let the portal add and read.

    ``connection`` is a superuser's, to the portal's database. The tables are licensing's
    (``audit.sql``); an audit that stands is left as it is.
    """
    role, portal = sql.Identifier(AUDIT_ROLE), sql.Identifier(portal_role)
    known = "SELECT 1 FROM pg_roles WHERE rolname = %s"
    if not connection.execute(known, (AUDIT_ROLE,)).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
    with connection.transaction():
        if connection.execute("SELECT to_regclass('hanoiic_audit.entry')").fetchone() == (None,):
            connection.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(role, role))
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(role))
            connection.execute(audit_tables().encode())
            connection.execute("RESET ROLE")
            connection.execute("RESET search_path")
        for right in AUDIT_RIGHTS:
            connection.execute(sql.SQL(right).format(role, portal))


def audit_tables() -> str:
    """The statements that make the audit's tables, as shipped with the licensing plugin."""
    spec = importlib.util.find_spec("ckanext.hanoiic.licensing")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseFailed("The licensing plugin is not installed; run `make up` again.")
    folder = Path(next(iter(spec.submodule_search_locations)))
    return (folder / "audit.sql").read_text(encoding="utf-8")
