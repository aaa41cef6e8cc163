"""The gateway's settings: `HANOIIC_<NAME>` in the environment, or in `etc/gateway.env`."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from api_gateway.forwarded import networks
from lake.errors import BadSetting
from lake.settings import setting


@dataclass(frozen=True)
class Settings:
    """Everything the gateway is told. Secrets are named by file, never by value."""

    lake_root: str = setting(doc="Folder or S3 URI of the lake.")
    portal_url: str = setting(doc="Address of the portal (CKAN) whose decisions are obeyed.")
    redis_url_file: Path = setting(doc="File that holds the Valkey or Redis URL of the epoch.")
    gateway_credential_file: Path = setting(
        doc="File that holds the gateway's own CKAN API token, used for introspection."
    )
    gateway_url: str = setting(
        "", doc="Public address of the gateway; empty: as each request was addressed."
    )
    gateway_trusted_proxies: tuple[str, ...] = setting(
        (),
        doc="Addresses or networks of the proxies in front of the gateway, whose `X-Forwarded-For` "
        "tells a caller's address; empty: the address of the connection.",
    )
    gateway_workers: int = setting(
        0,
        doc="Most query processes at work at a time, besides half as many for queries that take "
        "long (as many, while some are at work that were not known to); 0: two a CPU, at least 4.",
    )
    gateway_spill_dir: Path = setting(
        Path(tempfile.gettempdir()) / "hanoiic-spill",
        doc="Folder for DuckDB's temporary files; each query process gets its own in it.",
    )
    gateway_cache_dir: Path = setting(
        Path(tempfile.gettempdir()) / "hanoiic-cache",
        doc="Folder for copies of the lake's files when the lake is on S3, for what Delta Sharing "
        "tells of changed rows, and for hot tables.",
    )
    gateway_cache_mb: int = setting(
        10_240,
        doc="Most that the copies take, in MiB: at least what is read in half an hour; and most "
        "that the changed rows take.",
    )
    gateway_hot_mb: int = setting(
        10_240,
        doc="Most disk of hot tables, in MiB: those asked for often are kept in DuckDB's own form "
        "too, which queries read in half the time; 0: none.",
    )
    gateway_timeout_s: float = setting(
        30.0, doc="Most engine time of one query, in seconds.", least=0.1
    )
    gateway_memory_mb: int = setting(1024, doc="Memory of one query process, in MiB.", least=64)
    gateway_requests_per_minute: int = setting(
        1200, doc="Most requests a minute with one token; 0: no limit."
    )
    gateway_anonymous_requests_per_minute: int = setting(
        300,
        doc="Most requests a minute from one address without a token, and as many with tokens "
        "that were not valid lately; 0: no limit.",
    )
    gateway_concurrent_queries: int = setting(
        8, doc="Most queries at once of one organisation; 0: no limit."
    )
    gateway_anonymous_concurrent_queries: int = setting(
        4, doc="Most queries at once from one address without a token; 0: no limit."
    )
    gateway_events_dir: Path = setting(
        Path(tempfile.gettempdir()) / "hanoiic-events",
        doc="Folder of the events that wait to be told to the portal; better not a temporary one.",
    )
    exports_dir: Path = setting(
        Path(tempfile.gettempdir()) / "hanoiic-exports",
        doc="Folder of the exports, shared by all gateway processes; better not a temporary one.",
    )
    exports_mb: int = setting(10_240, doc="Most disk of all exports together, in MiB.")
    export_timeout_s: float = setting(
        900.0, doc="Most engine time of one export, in seconds.", least=0.1
    )
    receipt_key_file: Path | None = setting(
        None, doc="File of the private Ed25519 key (PEM) that signs receipts; without: no receipts."
    )
    gateway_slow_query_s: float = setting(
        5.0, doc="A query that took longer is logged as slow, by its fingerprint."
    )
    gateway_metrics_port: int = setting(
        0,
        doc="Port of `/metrics` for Prometheus, apart from the public one; 0: not served.",
        most=65535,
    )
    gateway_metrics_host: str = setting(
        "127.0.0.1", doc="Address that `/metrics` listens at: this machine's own, or a private one."
    )
    flight_host: str = setting("127.0.0.1", doc="Address that Flight SQL listens on.")
    flight_port: int = setting(8815, doc="Port of Flight SQL.", most=65535)
    flight_metrics_port: int = setting(
        0,
        doc="Port of Flight SQL's own `/metrics`, on the gateway's metrics host; 0: not served.",
        most=65535,
    )
    flight_tls_certificate_file: Path | None = setting(
        None, doc="Certificate of Flight SQL (PEM); without it gRPC is not encrypted."
    )
    flight_tls_key_file: Path | None = setting(None, doc="Private key of that certificate (PEM).")
    log_level: str = setting("INFO", doc="Least severe level that is logged.")
    allow_weak_sandbox: bool = setting(
        False,
        doc="Serve licensed tables although the kernel lacks a lock (Landlock, seccomp). "
        "Open tables are served in any case.",
    )

    def __post_init__(self) -> None:
        """Raises BadSetting: a proxy that is misspelt would be none, and all callers one."""
        try:
            networks(self.gateway_trusted_proxies)
        except ValueError as error:
            name = "HANOIIC_GATEWAY_TRUSTED_PROXIES"
            raise BadSetting(f"{name} must be addresses or networks", name=name) from error

    @property
    def lake_is_remote(self) -> bool:
        """Whether the lake is an object store, and query processes read copies of its files."""
        return "://" in self.lake_root

    @property
    def readable_root(self) -> Path:
        """The folder that holds every file a query process may read."""
        return (self.gateway_cache_dir if self.lake_is_remote else Path(self.lake_root)).absolute()

    @property
    def hot_dir(self) -> Path:
        """The folder of hot tables."""
        return self.gateway_cache_dir.absolute() / "hot"

    @property
    def worker_count(self) -> int:
        """The number of query processes, counted from the CPUs when it is not set."""
        return self.gateway_workers or max(4, 2 * (os.cpu_count() or 1))


# Bounds that are part of the public interface, not of an installation.
BODY_BYTES = 1_000_000
SQL_BYTES = 100_000
LIMIT_ROWS = 100_000
# A caller that takes no byte for so long has gone.
STALL_S = 60.0
# Longest wait for a free query process, before 503 `busy`.
QUEUE_S = 5.0
GATE_TIMEOUT_S = 1.5
# Past its engine time a query is interrupted; past this much more, the gateway kills its process,
# and a moment later the kernel does.
GRACE_S, KILL_S = 0.5, 0.6
# A query that used the CPU for so long gives way to others until its end.
QUICK_S = 0.02
# A query of so long, of it so much on the CPU, is known to take long. Where a process cannot have
# its turn back, the query gives way only then, and the process serves such queries only.
SLOW_S = 0.2
LONG_CPU_S = 0.05
# Longest wait of a query that is known to take long.
SLOW_QUEUE_S = 60.0
