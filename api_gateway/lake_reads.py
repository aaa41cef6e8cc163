"""What fails while the lake is read, as the gateway's errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from deltalake.exceptions import DeltaError

from api_gateway.errors import LakeUnavailable, TableUnreadable
from lake import logs

log = logging.getLogger(__name__)

RETRY_AFTER = {"Retry-After": "10"}
# A store that does not answer is any other OSError.
_OF_ONE_TABLE = (DeltaError, FileNotFoundError, pa.ArrowInvalid)


@contextmanager
def of_the_lake() -> Iterator[None]:
    """Inside, a lake that cannot be read is LakeUnavailable, and one table TableUnreadable."""
    try:
        yield
    except (OSError, *_OF_ONE_TABLE) as error:
        # Operators alone read it: it says which table it is, and where.
        facts = logs.facts(error=type(error).__qualname__, detail=str(error)[:500])
        log.warning("lake_unreadable", extra=facts)
        kind = TableUnreadable if isinstance(error, _OF_ONE_TABLE) else LakeUnavailable
        raise kind(headers=RETRY_AFTER) from error
