"""Servers given by an address instead of the embedded ones: usable, or a clear refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import redis

from deploy.errors import CacheFailed, DatabaseFailed

if TYPE_CHECKING:
    from deploy.settings import Settings


def demand(settings: Settings) -> None:
    """Refuse to start when a server that was given by its address can't be used."""
    if "%" in settings.database_url:
        # They take it for the start of an interpolation.
        raise DatabaseFailed(
            "HANOIIC_DATABASE_URL has a percent sign, which CKAN's migrations can't read; choose "
            "a password of letters, digits, '-' and '_' for the portal's role."
        )
    for name, url in (
        ("HANOIIC_DATABASE_URL", settings.database_url),
        ("HANOIIC_HARVEST_DATABASE_URL", settings.harvest_database_url),
    ):
        if url:
            try:
                psycopg.connect(url, connect_timeout=10).close()
            except psycopg.Error as error:
                reason = str(error).strip().splitlines()[0]
                raise DatabaseFailed(f"The database of {name} can't be used: {reason}") from error
    if settings.redis_url:
        try:
            with redis.Redis.from_url(settings.redis_url, socket_timeout=10) as client:
                client.ping()
        except (redis.RedisError, ValueError) as error:
            raise CacheFailed(f"The server of HANOIIC_REDIS_URL can't be used: {error}") from error
