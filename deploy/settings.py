"""The launcher's settings: ``HANOIIC_*``, read once at the entry point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lake.settings import setting


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

    @property
    def public_portal_url(self) -> str:
        return (self.portal_url or f"http://localhost:{self.portal_port}").rstrip("/")

    @property
    def public_gateway_url(self) -> str:
        return (self.gateway_url or f"http://localhost:{self.gateway_port}").rstrip("/")
