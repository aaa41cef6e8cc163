"""The server's clock. Every decision and every stored moment is taken from here, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
