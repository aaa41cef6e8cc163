"""The index's tables and its connections.

The tables live in a schema of their own (``ckan db clean`` drops what is in ``public``) and make
themselves at first use, under a lock, so that any number of workers may start at once and
``ckan db init`` needs to know nothing. They hold derived data only: a new layout drops them, and
CKAN's ``search-index rebuild`` fills them again.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from psycopg import errors as postgres

from . import deadline
from .errors import IndexUnreachable, LayoutTooNew, QueryTooComplex, QueryTooSlow, SearchFailed
from .everything import Remembered
from .layout import DROPPED, LAYOUT, TABLES, TRIGRAM_INDEXES
from .rarity import Counts
from .values import Values

log = logging.getLogger(__name__)

LAYOUT_LOCK = 0x48414E4F  # any number that nothing else in this database uses
LONGEST_STATEMENT_S = 15
# The GIN indexes of `entry` that sort in at once, or by the heap; without pg_trgm there is one.
_GIN = (
    "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class i ON i.oid = indexrelid"
    " JOIN pg_am a ON a.oid = i.relam WHERE indrelid = 'hanoiic_search.entry'::regclass"
    " AND amname = 'gin' AND %s = ANY(reloptions) ORDER BY 1"
)


def session_settings(timeout_s: float) -> dict[str, str]:
    """What every connection of the index is set to, and why."""
    return {
        "statement_timeout": f"{max(1, int(timeout_s * 1000))}ms",
        "enable_seqscan": "off",  # the planner takes a common word's bitmap for dearer than it is
        "synchronous_commit": "off",  # derived data: what a crash costs can be indexed again
        "work_mem": "32MB",
        "jit": "off",
        "max_parallel_workers_per_gather": "0",  # starting a worker takes as long as a query may
    }


class Store:
    """Connections to one database; made once per URL and process."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.engine = sa.create_engine(
            sa.make_url(url).set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=4,
            max_overflow=16,
            connect_args={
                "connect_timeout": 5,
                "application_name": "ckan-search",
                "prepare_threshold": None,
            },
        )
        self.counts = Counts()
        self.remembered = Remembered()
        self.values = Values()
        self.limit_s = min(timeout_s, LONGEST_STATEMENT_S)
        settings = session_settings(self.limit_s)
        deadline.keep(self.engine)

        @sa.event.listens_for(self.engine, "connect")
        def _set(connection: Any, _record: Any) -> None:
            with connection.cursor() as cursor:
                for name, value in settings.items():
                    cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
            connection.commit()

        self._ready = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def transaction(self, isolation: str | None = None) -> Iterator[sa.Connection]:
        """A transaction over the index's tables; database errors leave it as SearchFailed.

        With an ``isolation`` it is a query: all its statements together keep the time limit.
        """
        try:
            self._ensure_layout()
            with self.engine.connect() as connection:
                if isolation:
                    connection = connection.execution_options(isolation_level=isolation)
                    deadline.begin(connection, self.limit_s)
                try:
                    with connection.begin():
                        yield connection
                finally:
                    deadline.end(connection)
        except sa.exc.DBAPIError as error:
            raise _as_search_error(error) from error

    @contextlib.contextmanager
    def heaping(self) -> Iterator[None]:
        """Inside, GIN collects new rows in a heap (its pending list) and sorts them into the index
        together, instead of one by one. For writing many rows.

        That takes a third of the time; queries meanwhile read the heap (a few MB) too. A process
        that is killed inside leaves it so, which ``sort_in`` mends.
        """
        with self.transaction() as connection:
            for index in connection.exec_driver_sql(_GIN, ("fastupdate=off",)).scalars().all():
                connection.exec_driver_sql(f"ALTER INDEX {index} SET (fastupdate = on)")
        self.engine.dispose()  # whoever writes may be a child of this process
        try:
            yield
        finally:
            self.sort_in()

    def sort_in(self) -> None:
        """Sort in what waits in the heap, and let nothing wait there from now on; idempotent."""
        with self.transaction() as connection:
            for index in connection.exec_driver_sql(_GIN, ("fastupdate=on",)).scalars().all():
                connection.exec_driver_sql(f"ALTER INDEX {index} SET (fastupdate = off)")
                connection.exec_driver_sql("SELECT gin_clean_pending_list(%s::regclass)", (index,))

    def _ensure_layout(self) -> None:
        if self._ready:
            return
        with self._lock:
            if not self._ready:
                with self.engine.begin() as connection:
                    ensure_layout(connection)
                self._ready = True


_TOO_COMPLEX = (
    postgres.ProgramLimitExceeded,
    postgres.StatementTooComplex,
    postgres.TooManyArguments,
    postgres.TooManyColumns,
    postgres.InvalidRegularExpression,  # well-formed here, so too much for PostgreSQL
)


def _as_search_error(error: sa.exc.DBAPIError) -> SearchFailed:
    cause = error.orig
    if isinstance(cause, postgres.QueryCanceled):
        return QueryTooSlow("it took longer than its time limit")
    if isinstance(cause, _TOO_COMPLEX):
        return QueryTooComplex(str(cause).splitlines()[0])
    if error.connection_invalidated or isinstance(error, sa.exc.OperationalError):
        return IndexUnreachable(type(cause).__name__)
    return SearchFailed(f"{type(cause).__name__}: {str(cause).splitlines()[0]}")


def ensure_layout(connection: sa.Connection) -> None:
    """Make the tables, or replace those of an older layout; idempotent."""
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LAYOUT_LOCK,))
    found = None
    if connection.exec_driver_sql("SELECT to_regclass('hanoiic_search.layout')").scalar():
        found = connection.exec_driver_sql("SELECT version FROM hanoiic_search.layout").scalar()
    if found == LAYOUT:
        return
    if found is not None and found > LAYOUT:
        raise LayoutTooNew(f"The index has layout {found}, this release knows {LAYOUT}.")
    if found is not None:
        log.warning("The search index has an old layout and starts empty: mend fills it again")
        for table in DROPPED:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS hanoiic_search.{table}")
    # Asked first: a role without CREATE on the database may have had the schema made for it.
    if not connection.exec_driver_sql("SELECT to_regnamespace('hanoiic_search')").scalar():
        connection.exec_driver_sql("CREATE SCHEMA hanoiic_search")
    for statement in TABLES:
        connection.exec_driver_sql(statement)
    operators = _trigram_operators(connection)
    for statement in TRIGRAM_INDEXES if operators else ():
        connection.exec_driver_sql(statement.format(operators=operators))
    connection.exec_driver_sql("CREATE TABLE hanoiic_search.layout (version integer NOT NULL)")
    connection.exec_driver_sql("INSERT INTO hanoiic_search.layout VALUES (%s)", (LAYOUT,))


def _trigram_operators(connection: sa.Connection) -> str | None:
    """The trigram operator class with its schema, or None where the extension can't be had."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(
                "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA hanoiic_search"
            )
    except sa.exc.DBAPIError as error:
        log.warning(
            "PostgreSQL's pg_trgm is not available (%s): searching parts of words reads every row",
            type(error.orig).__name__,
        )
        return None
    schema = connection.exec_driver_sql(
        "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace"
        " WHERE extname = 'pg_trgm'"
    ).scalar_one()
    return f"{schema}.gin_trgm_ops"


@functools.cache
def store_for(url: str, timeout_s: float) -> Store:
    return Store(url, timeout_s)


# A child process must not talk over its parent's connections.
os.register_at_fork(after_in_child=store_for.cache_clear)
