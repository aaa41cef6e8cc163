"""Receipts: what each file of a source was when it was last published and registered.

A receipt is written last, after the portal has registered everything. So one that is there means
that the work is done, and a crash anywhere before means that the next run does it again: publishing
the same content makes no version, and registering is an upsert.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from harvesters import personal_rules
from harvesters.fetch import Fetched, Validators
from harvesters.signs import Signs
from harvesters.source import Source

# Counted up when decoding or normalising changes, so that unchanged files are read anew.
READER_VERSION = 4

SCHEMA = """
CREATE TABLE IF NOT EXISTS receipts (
    source_id text NOT NULL,
    url text NOT NULL,
    etag text,
    last_modified text,
    sha256 text NOT NULL,
    asked text NOT NULL,
    dataset_id text NOT NULL,
    tables jsonb NOT NULL,
    settled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, url)
)
"""
# A kept connection that lay idle for so long is asked whether it is still there.
ASKED_AFTER_S = 1.0
_COLUMNS = "source_id, url, etag, last_modified, sha256, asked, dataset_id, tables"


@dataclass(frozen=True)
class Receipt:
    """One settled file. `asked` is the fingerprint of what the officer wanted of it, `tables` the
    run's rows of its tables: `{"table", "version", "row_count", "rejected_count", "signs",
    "named"}`, where `named` is the source's table and the file's."""

    source_id: str
    url: str
    etag: str | None
    last_modified: str | None
    sha256: str
    asked: str
    dataset_id: str
    tables: list[dict[str, Any]]

    @property
    def validators(self) -> Validators:
        return Validators(self.etag, self.last_modified, self.sha256)

    @property
    def signs(self) -> dict[str, Signs]:
        """By table what its texts told of how they are written."""
        return {row["table"]: Signs(**row.get("signs", {})) for row in self.tables}

    def table_of(self, prefix: str) -> str | None:
        """The table (or the prefix of the tables) that the file had below the source's."""
        for row in self.tables:
            before, table = row.get("named") or ("", "")
            if before == prefix:
                return str(table)
        return None

    def covers(self, fetched: Fetched, asked: str) -> bool:
        """Whether these bytes were settled already, and nothing else is wanted of them now."""
        return self.sha256 == fetched.sha256 and self.asked == asked


class Receipts:
    """The table of receipts in the queue's PostgreSQL schema."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._kept: psycopg.Connection[Any] | None = None
        self._used_at = 0.0

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep one connection meanwhile: to make one takes longer than any question."""
        try:
            self._kept = self._connect()
            yield
        finally:
            if self._kept is not None:
                self._kept.close()
            self._kept = None

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        if self._kept is None:
            with self._connect() as connection:
                yield connection
            return
        now = time.monotonic()
        if now - self._used_at > ASKED_AFTER_S and not _answers(self._kept):
            self._kept = self._connect()
        self._used_at = now
        yield self._kept

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._database_url, connect_timeout=10, autocommit=True)

    def migrate(self) -> None:
        with self._connect() as connection, connection.transaction():
            # Two workers may start at once, and IF NOT EXISTS alone does not keep them apart.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('hanoiic.receipts'))")
            connection.execute(SCHEMA)

    def find(self, source_id: str, url: str) -> Receipt | None:
        return self._one("source_id = %s AND url = %s", source_id, url)

    def signs(self, source_id: str, receipt: Receipt | None, *, many: bool) -> dict[str, Signs]:
        """What the file's receipt remembers of its tables; where it has none yet, and its source
        not `many` files, that of the file before, whose address was another (last month's)."""
        if receipt is None and not many:
            receipt = self._one("source_id = %s ORDER BY settled_at DESC LIMIT 1", source_id)
        return receipt.signs if receipt else {}

    def _one(self, condition: str, *values: str) -> Receipt | None:
        with (
            self._connected() as connection,
            connection.cursor(row_factory=class_row(Receipt)) as cursor,
        ):
            cursor.execute(
                f"SELECT {_COLUMNS} FROM receipts WHERE {condition}",  # noqa: S608
                values,
            )
            return cursor.fetchone()

    def hashes(self) -> set[str]:
        """The SHA-256 of every file that a receipt is about."""
        with self._connected() as connection:
            return {row[0] for row in connection.execute("SELECT DISTINCT sha256 FROM receipts")}

    def settle(self, receipt: Receipt) -> None:
        values = {**vars(receipt), "tables": Jsonb(receipt.tables)}
        named = ", ".join(f"%({column})s" for column in values)
        updates = ", ".join(f"{column} = excluded.{column}" for column in values)
        with self._connected() as connection:
            connection.execute(
                f"INSERT INTO receipts ({', '.join(values)}) VALUES ({named}) "  # noqa: S608
                f"ON CONFLICT (source_id, url) DO UPDATE SET {updates}, settled_at = now()",
                values,
            )


def _answers(connection: psycopg.Connection[Any]) -> bool:
    """Whether a connection is still there: the database may have started anew meanwhile."""
    try:
        connection.execute("")
    except psycopg.OperationalError:
        return False
    return True


def asked(source: Source, table: str, fields: dict[str, Any]) -> str:
    """The fingerprint of everything but the bytes that decides what is published and registered."""
    wanted = {
        "reader": READER_VERSION,
        # New rules are for what is published already, too.
        "personal_rules": personal_rules.latest().date,
        "kind": source.kind,
        "options": source.given,
        "table": table,
        "owner_org": source.owner_org,
        "fields": fields,
    }
    return hashlib.sha256(
        json.dumps(wanted, sort_keys=True, ensure_ascii=False, default=str).encode()
    ).hexdigest()
