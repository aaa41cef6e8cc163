"""The launcher's settings: ``HANOIIC_*``, read once at the entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lake.errors import BadSetting
from lake.settings import HANDED_ON, setting

# Where the lake is on S3, its address and keys, by the names of every S3 client.
S3 = "AWS_"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MUST_BE = {
    "PORTAL_PORT": "a port from 1 to 65535",
    "GATEWAY_PORT": "a port from 1 to 65535, and not the portal's",
    "PORTAL_URL": "an address such as https://data.example.vn, without a path",
    "GATEWAY_URL": "an address such as https://api.data.example.vn",
    "LOG_LEVEL": f"one of {', '.join(LOG_LEVELS)}",
}


def handed_on(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What is said of the rooms' own settings, by room: they check it themselves."""
    said = {
        room: {name: environ[name] for name in sorted(names) if environ.get(name)}
        for room, names in HANDED_ON.items()
    }
    for values in said.values():
        if "HANOIIC_LAKE_ROOT" in values:
            values |= {name: value for name, value in environ.items() if name.startswith(S3)}
    return said


@dataclass(frozen=True)
class Settings:
    """What a person may set before ``hanoiic up``."""

    home: Path = setting(Path(".portal"), doc="folder of all state")
    portal_port: int = setting(5000, doc="port of the portal")
    gateway_port: int = setting(8000, doc="port of the gateway")
    portal_host: str = setting("127.0.0.1", doc="address the portal listens on")
    gateway_host: str = setting("127.0.0.1", doc="address the gateway listens on")
    portal_url: str = setting(
        "", doc="public address of the portal, where a proxy stands before it"
    )
    gateway_url: str = setting(
        "", doc="public address of the gateway, where a proxy stands before it"
    )
    database_url: str = setting(
        "", doc="a PostgreSQL database that the portal's role owns; empty: the embedded server"
    )
    harvest_database_url: str = setting(
        "", doc="the job queue's database where HANOIIC_DATABASE_URL is set; empty: the same one"
    )
    redis_url: str = setting("", doc="a Valkey or Redis server; empty: the embedded one")
    solr_url: str = setting("", doc="a Solr core; empty: the search index lives in PostgreSQL")
    demo_data: Path | None = setting(
        None, doc="folder of real files that the demo departments serve as well"
    )
    allowed_hosts: tuple[str, ...] = setting(
        (), doc="hosts (host or host:port) on private networks that may be harvested"
    )
    notices_file: Path | None = setting(
        None, doc="file of `smtp.…` and `hanoiic.webhook_…` lines (name = value) for notices"
    )
    token: str = setting("", doc="access token (`hic_…`) of `hanoiic sql`; better in a file")
    token_file: Path | None = setting(None, doc="file that holds the access token of `hanoiic sql`")
    log_level: str = setting("INFO", doc="DEBUG, INFO, WARNING or ERROR")

    def __post_init__(self) -> None:
        """Raises BadSetting for what would only fail some minutes later, in a log."""
        wrong = {
            "PORTAL_PORT": not 0 < self.portal_port < 1 << 16,
            "GATEWAY_PORT": not 0 < self.gateway_port < 1 << 16
            or self.gateway_port == self.portal_port,
            "PORTAL_URL": bool(self.portal_url) and not _is_address(self.portal_url, path=False),
            "GATEWAY_URL": bool(self.gateway_url) and not _is_address(self.gateway_url),
            "LOG_LEVEL": self.log_level not in LOG_LEVELS,
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                raise BadSetting(f"HANOIIC_{name} must be {MUST_BE[name]}", name=f"HANOIIC_{name}")

    @property
    def portal_internal_url(self) -> str:
        return f"http://{_reached_at(self.portal_host)}:{self.portal_port}"

    @property
    def gateway_internal_url(self) -> str:
        return f"http://{_reached_at(self.gateway_host)}:{self.gateway_port}"

    @property
    def public_portal_url(self) -> str:
        return (self.portal_url or _said_as_localhost(self.portal_internal_url)).rstrip("/")

    @property
    def public_gateway_url(self) -> str:
        return (self.gateway_url or _said_as_localhost(self.gateway_internal_url)).rstrip("/")

    @property
    def addresses(self) -> dict[str, str]:
        """Where portal and gateway are: for everybody, and for this machine."""
        return {
            "portal_url": self.public_portal_url,
            "gateway_url": self.public_gateway_url,
            "portal_internal_url": self.portal_internal_url,
            "gateway_internal_url": self.gateway_internal_url,
        }


def in_url(host: str) -> str:
    """A host as addresses have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _reached_at(host: str) -> str:
    """Where this machine reaches what listens on ``host``, which may stand for every address."""
    return in_url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))  # noqa: S104 (not bound)


def _said_as_localhost(url: str) -> str:
    return url.replace("//127.0.0.1:", "//localhost:").replace("//[::1]:", "//localhost:")


def _is_address(url: str, path: bool = True) -> bool:
    """Whether it is an http(s) address, of a site's root unless a ``path`` may follow."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_plain = parts.scheme in ("http", "https") and parts.hostname and not parts.query
    return bool(is_plain) and (path or parts.path in ("", "/"))
