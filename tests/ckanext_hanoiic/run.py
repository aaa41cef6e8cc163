"""Run the CKAN tests in their own session: ``python tests/ckanext_hanoiic/run.py [ARGUMENT ...]``.

CKAN's pytest plugin loads a CKAN configuration before any test is collected, so the servers must
stand first: this starts PostgreSQL and Valkey on free ports, writes the configuration and hands
the arguments over to pytest.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from deploy.ckan_ini import CkanIni  # noqa: E402
from deploy.postgres import PORTAL_ROLE  # noqa: E402
from tests.servers import postgres, temporary_home, valkey  # noqa: E402


def main(arguments: list[str]) -> int:
    with temporary_home() as home, postgres(home) as database, valkey(home) as cache:
        url = database.url(PORTAL_ROLE, home.secret("database_portal"))
        home.secret("source_secrets.key")
        home.secret("edition.key")
        CkanIni(
            secret_key=home.secret("ckan"),
            database_url=url,
            redis_url=cache.url,
            solr_url=url,
            site_url="http://test.ckan.net",
            gateway_url="http://gateway.test:8000",
            gateway_internal_url="http://127.0.0.1:9",
            storage=home.storage,
            source_secrets_key_file=home.secret_file("source_secrets.key"),
            edition_key_file=home.secret_file("edition.key"),
            audit_key_file=home.signing_key("audit_signing.key"),
            audit_checkpoints_file=home.checkpoints,
            log_level="WARNING",
            testing=True,
        ).write(home.ckan_ini)
        ckan = [sys.executable, "-m", "ckanext.hanoiic"]
        subprocess.check_call([*ckan, "-c", str(home.ckan_ini), "db", "upgrade"], cwd=ROOT)
        named = [argument for argument in arguments if Path(argument.partition("::")[0]).exists()]
        command = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini")]
        command += [f"--ckan-ini={home.ckan_ini}", f"--rootdir={HERE}", *arguments]
        return subprocess.call(command if named else [*command, str(HERE)], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
