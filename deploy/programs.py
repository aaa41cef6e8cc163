"""The children of the supervisor: who runs, with which command and which settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.home import write_private
from deploy.settings import in_url
from deploy.supervisord_conf import Program

if TYPE_CHECKING:
    from deploy.home import Home
    from deploy.postgres import EmbeddedPostgres
    from deploy.settings import Settings
    from deploy.valkey import EmbeddedValkey

BIN = Path(sys.executable).parent
PORTAL_WORKERS = 2
PORTAL_THREADS = 8
PORTAL_TIMEOUT_S = 60

# Seconds; longer than nginx keeps connections to a server (60).
KEEP_ALIVE_S = 75


@dataclass(frozen=True)
class Plan:
    """What one start runs, in the order it is started."""

    settings: Settings
    home: Home
    ports: dict[str, int]
    postgres: EmbeddedPostgres | None
    valkey: EmbeddedValkey | None
    demo: bool
    handed_on: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def portal_internal_url(self) -> str:
        return self.settings.portal_internal_url

    @property
    def gateway_internal_url(self) -> str:
        return self.settings.gateway_internal_url

    @property
    def departments_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['departments']}"

    def programs(self) -> list[Program]:
        made = (
            self._postgres(),
            self._valkey(),
            self._portal(),
            self._portal_jobs(),
            self._gateway(),
            self._flight(),
            self._departments(),
            self._harvest(),
        )
        return [program for program in made if program]

    def _gunicorn(self) -> tuple[str, ...]:
        # Without these every gunicorn of the user shares one control socket in the home folder.
        # A kept connection outlives what proxies and clients keep it for: none is closed in use.
        return (
            *("--no-control-socket", "--keep-alive", str(KEEP_ALIVE_S)),
            *("--worker-tmp-dir", str(self.home.run)),
            # Of the portal too: what it knows of is connections, not what is asked.
            *("--worker-class", "api_gateway.serving.Worker"),
            # No header is a request's own path: anyone on this machine could write one.
            *("--forwarder-headers", ""),
        )

    def _postgres(self) -> Program | None:
        if self.postgres is None:
            return None
        # INT is PostgreSQL's fast shutdown: sessions are closed, data is flushed.
        return Program(
            "postgres",
            self.postgres.command,
            user=self.postgres.system_user,
            stop_signal="INT",
        )

    def _valkey(self) -> Program | None:
        return Program("valkey", self.valkey.command) if self.valkey else None

    def _portal(self) -> Program:
        return Program(
            "portal",
            [
                *(str(BIN / "gunicorn"), "ckanext.hanoiic.wsgi:application"),
                *("--bind", f"{in_url(self.settings.portal_host)}:{self.settings.portal_port}"),
                *("--workers", str(PORTAL_WORKERS), "--threads", str(PORTAL_THREADS)),
                *("--timeout", str(PORTAL_TIMEOUT_S), "--graceful-timeout", "10"),
                *self._gunicorn(),
            ],
            {"CKAN_INI": str(self.home.ckan_ini)},
        )

    def _portal_jobs(self) -> Program:
        command = [sys.executable, "-m", "ckanext.hanoiic.jobs", str(self.home.ckan_ini)]
        return Program("portal-jobs", command)

    def _gateway(self) -> Program:
        return Program(
            "gateway",
            [
                *(str(BIN / "gunicorn"), "api_gateway.app:create_app()"),
                *("--bind", f"{in_url(self.settings.gateway_host)}:{self.settings.gateway_port}"),
                *("--workers", "1", "--threads", "64"),
                # Longer than a query may take: a reload leaves none unanswered.
                *("--timeout", "120", "--graceful-timeout", "35"),
                *self._gunicorn(),
            ],
            self.gateway_environment(),
        )

    def _harvest(self) -> Program:
        return Program(
            "harvest", [str(BIN / "hanoiic-harvest"), "worker"], self.harvest_environment()
        )

    def _flight(self) -> Program:
        return Program(
            "flight",
            [sys.executable, "-m", "api_gateway.flight"],
            self.gateway_environment() | {"HANOIIC_FLIGHT_PORT": self.flight_port},
        )

    def _departments(self) -> Program | None:
        if not self.demo:
            return None
        demo_data = self.settings.demo_data
        return Program(
            "departments",
            [
                *(str(BIN / "gunicorn"), "deploy.departments:create_app()"),
                *("--bind", f"127.0.0.1:{self.ports['departments']}"),
                *("--threads", "4", *self._gunicorn()),
            ],
            {
                "HANOIIC_DEPARTMENTS_DIR": str(self.home.departments),
                **({"HANOIIC_DEMO_DATA": str(demo_data.resolve())} if demo_data else {}),
            },
        )

    @property
    def flight_port(self) -> str:
        """That of the environment, else one that was free."""
        told = self.handed_on.get("gateway", {}).get("HANOIIC_FLIGHT_PORT")
        return told or str(self.ports["flight"])

    def gateway_environment(self) -> dict[str, str]:
        return {
            "HANOIIC_LAKE_ROOT": str(self.home.lake),
            "HANOIIC_PORTAL_URL": self.portal_internal_url,
            "HANOIIC_GATEWAY_URL": self.settings.public_gateway_url,
            "HANOIIC_REDIS_URL_FILE": str(self.home.secret_file("redis_url")),
            "HANOIIC_GATEWAY_CREDENTIAL_FILE": str(self.home.secret_file("gateway_credential")),
            "HANOIIC_GATEWAY_SPILL_DIR": str(self.home.spill),
            "HANOIIC_GATEWAY_CACHE_DIR": str(self.home.cache),
            "HANOIIC_RECEIPT_KEY_FILE": str(self.home.secret_file("receipt_signing.key")),
            "HANOIIC_GATEWAY_EVENTS_DIR": str(self.home.events),
            "HANOIIC_EXPORTS_DIR": str(self.home.exports),
            "HANOIIC_LOG_LEVEL": self.settings.log_level,
            **self.handed_on.get("gateway", {}),
        }

    def harvest_environment(self) -> dict[str, str]:
        database = self.home.secret_file("harvest_database_url")
        allowed = [f"127.0.0.1:{self.ports['departments']}"] if self.demo else []
        return {
            "HANOIIC_LAKE_ROOT": str(self.home.lake),
            "HANOIIC_PORTAL_URL": self.portal_internal_url,
            "HANOIIC_GATEWAY_URL": self.settings.public_gateway_url,
            "HANOIIC_HARVEST_DATABASE_URL_FILE": str(database),
            "HANOIIC_HARVEST_CREDENTIAL_FILE": str(self.home.secret_file("harvest_credential")),
            **({"HANOIIC_HARVEST_REFERENCE_TABLES": "planning_wards"} if self.demo else {}),
            "HANOIIC_HARVEST_MASK_KEY_FILE": str(self.home.secret_file("harvest_mask.key")),
            "HANOIIC_HARVEST_RAW_DIR": str(self.home.raw),
            "HANOIIC_HARVEST_ALLOWED_HOSTS": ",".join([*allowed, *self.settings.allowed_hosts]),
            "HANOIIC_LOG_LEVEL": self.settings.log_level,
            **self.handed_on.get("harvest", {}),
        }

    def write_room_settings(self) -> None:
        """``etc/<room>.env``: what the commands of a room read when run by hand."""
        rooms = {"gateway": self.gateway_environment(), "harvest": self.harvest_environment()}
        for room, environment in rooms.items():
            lines = "".join(f"{name}={value}\n" for name, value in environment.items())
            write_private(self.home.etc / f"{room}.env", lines)
