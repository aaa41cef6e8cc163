"""The room's connections, opened by its settings."""

from __future__ import annotations

from harvesters import database
from harvesters.allowance import RunCaps
from harvesters.contract import References
from harvesters.departures import Patience
from harvesters.fetch import Client
from harvesters.lanes import Lanes
from harvesters.portal import Portal
from harvesters.presence import Presence
from harvesters.receipts import Receipts
from harvesters.room import Room
from harvesters.settings import Settings
from harvesters.upkeep import Keep
from lake.settings import read_secret
from lake.store import Lake


def conninfo(settings: Settings) -> str:
    """The harvest database's address. Raises SecretMissing."""
    return database.address(read_secret(settings.harvest_database_url_file))


def portal(settings: Settings) -> Portal:
    return Portal(settings.portal_url, read_secret(settings.harvest_credential_file))


def lake(settings: Settings) -> Lake:
    return Lake(settings.lake_root)


def lanes(settings: Settings) -> Lanes:
    return Lanes(conninfo(settings), settings.harvest_host_runs)


def patience(settings: Settings) -> Patience:
    return Patience(
        runs=settings.harvest_archive_runs,
        days=settings.harvest_archive_days,
        max_share=settings.harvest_max_missing_share,
    )


def keep(settings: Settings) -> Keep:
    return Keep(
        version_days=settings.harvest_keep_version_days,
        raw_days=settings.harvest_keep_raw_days,
        rejected_days=settings.harvest_keep_rejected_days,
    )


def room(settings: Settings) -> Room:
    """A run's connections. Raises SecretMissing."""
    address = conninfo(settings)
    shelf = lake(settings)
    return Room(
        client=Client(settings.harvest_raw_dir, settings.harvest_allowed_hosts),
        lake=shelf,
        portal=portal(settings),
        receipts=Receipts(address),
        presence=Presence(address),
        gateway_url=settings.gateway_url,
        mask_secret=read_secret(key) if (key := settings.harvest_mask_key_file) else None,
        references=References(shelf, settings.harvest_reference_tables),
        patience=patience(settings),
        caps=RunCaps(settings.harvest_run_gib << 30, settings.harvest_run_hours * 3600.0),
    )
