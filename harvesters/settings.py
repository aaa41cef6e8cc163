"""The room's settings: what `HANOIIC_*` names it reads, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lake.settings import HOME, load, setting

DEFAULT_HOME = ".portal"


@dataclass(frozen=True)
class Settings:
    lake_root: str = setting(doc="Folder or S3 URI of the lake.")
    portal_url: str = setting(doc="Address of the portal whose sources are harvested.")
    gateway_url: str = setting(doc="Public address of the gateway, for download links.")
    harvest_database_url_file: Path = setting(
        doc="File with the PostgreSQL URL of the job queue (role with its own schema)."
    )
    harvest_credential_file: Path = setting(doc="File with the harvester user's CKAN API token.")
    harvest_raw_dir: Path = setting(doc="Folder of fetched bytes, content-addressed by SHA-256.")
    harvest_allowed_hosts: tuple[str, ...] = setting(
        (), doc="Hosts (host or host:port) that may have private addresses."
    )
    harvest_reference_tables: tuple[str, ...] = setting(
        (), doc="Tables, such as lists of codes, that every source may check its columns against."
    )
    harvest_mask_key_file: Path | None = setting(
        None, doc="File with the secret behind hashed columns; without it none can be hashed."
    )
    harvest_host_runs: int = setting(2, doc="Runs at once at one host, over all workers.", least=1)
    harvest_run_gib: int = setting(
        100, doc="GiB that one run may fetch, over all of its files.", least=1
    )
    harvest_run_hours: float = setting(12.0, doc="Hours that one run may take.", least=0.01)
    harvest_archive_runs: int = setting(
        3, doc="Runs that miss a dataset of a catalogue before it is archived.", least=1
    )
    harvest_archive_days: int = setting(
        7, doc="Days that a dataset of a catalogue is missing before it is archived."
    )
    harvest_max_missing_share: float = setting(
        0.2,
        doc="Share of a catalogue's datasets that may go missing without an officer's word.",
        most=1,
    )
    harvest_keep_version_days: int = setting(
        30, doc="Days that a superseded version of a table can still be queried."
    )
    harvest_keep_raw_days: int = setting(
        30, doc="Days that fetched bytes are kept after nothing published comes from them."
    )
    harvest_keep_rejected_days: int = setting(90, doc="Days that rejected rows are kept.")
    log_level: str = setting("INFO", doc="Least severe level that is logged.")


def read(environ: Mapping[str, str]) -> Settings:
    """Settings from the environment above `$HANOIIC_HOME/etc/harvest.env`."""
    home = Path(environ.get(HOME) or DEFAULT_HOME)
    return load(Settings, environ, home_file=home / "etc" / "harvest.env")
