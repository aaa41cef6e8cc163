"""Errors of the portal's own parts (database, disk, lake). The source is not to blame for them, and
a later attempt may succeed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import psycopg
from deltalake.exceptions import DeltaError

from harvesters.errors import DatabaseUnavailable, LakeFailed


@contextmanager
def named_errors() -> Iterator[None]:
    """Raises DatabaseUnavailable, and LakeFailed for what could not be read or written."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable("The harvest database does not answer.") from error
    except (OSError, DeltaError, duckdb.IOException) as error:
        raise not_stored(error) from error


def not_stored(error: Exception) -> LakeFailed:
    """What to raise for an error of the disk or the lake: it tells no paths."""
    number = getattr(error, "errno", None)
    failed = LakeFailed(
        f"The data could not be stored{f': {os.strerror(number)}' if number else ''}."
    )
    failed.passing = True
    return failed
