"""What CKAN needs before it serves: its configuration, and its tables, users and assets."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import notices
from deploy.ckan_ini import CkanIni
from deploy.errors import StepFailed
from deploy.home import write_private
from deploy.postgres import HARVEST_ROLE, PORTAL_ROLE
from deploy.supervision import clean_environment, last_line

if TYPE_CHECKING:
    from deploy.programs import Plan

TIMEOUT_S = 600.0


def write_configuration(plan: Plan) -> None:
    """CKAN's ini and the secret files that the rooms read."""
    settings, home = plan.settings, plan.home
    if plan.postgres:
        database_url = plan.postgres.url(PORTAL_ROLE, home.secret("database_portal"))
        harvest_url = plan.postgres.url(HARVEST_ROLE, home.secret("database_harvest"))
    else:
        database_url = settings.database_url
        harvest_url = settings.harvest_database_url or settings.database_url
    redis_url = plan.valkey.url if plan.valkey else settings.redis_url
    home.secret("harvest_database_url", harvest_url)
    home.secret("redis_url", redis_url)
    home.password("operator")
    home.secret("harvest_mask.key")
    # Signs the answers' receipts; the gateway reads it.
    home.signing_key("receipt_signing.key")
    CkanIni.of(
        home,
        database_url=database_url,
        redis_url=redis_url,
        solr_url=settings.solr_url or database_url,
        site_url=settings.public_portal_url,
        gateway_url=settings.public_gateway_url,
        gateway_internal_url=plan.gateway_internal_url,
        notices=notices.read(settings.notices_file),
        log_level=settings.log_level,
    ).write(home.ckan_ini)


def needed(plan: Plan) -> bool:
    stamp = plan.home.etc / "prepared.json"
    return not stamp.exists() or json.loads(stamp.read_text()) != fingerprint(plan)


def run(plan: Plan) -> None:
    home = plan.home
    log = home.logs / "prepare.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "ckanext.hanoiic.prepare"),
                *("--ini", str(home.ckan_ini), "--secrets", str(home.secrets)),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home.run,
            env=clean_environment(),
            timeout=TIMEOUT_S,
        )
    if done.returncode != 0:
        raise StepFailed(f"CKAN can't be prepared: {last_line(log)} (all of it: {log})")
    write_private(home.etc / "prepared.json", json.dumps(fingerprint(plan)))


def fingerprint(plan: Plan) -> dict[str, str]:
    """What a preparation depends on: the code that is installed, and the database it went to."""
    spec = find_spec("ckanext.hanoiic")
    folder = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            facts = file.stat()
            digest.update(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    database = plan.settings.database_url or str(plan.home.postgres)
    return {
        "ckan": version("ckan"),
        "code": digest.hexdigest(),
        "python": sys.prefix,
        "database": hashlib.sha256(database.encode()).hexdigest(),
    }
