"""Run the CKAN tests in their own session: ``python tests/ckanext_hanoiic/run.py [ARGUMENT ...]``.

CKAN's pytest plugin loads a CKAN configuration before any test is collected, so the servers must
stand first: this starts PostgreSQL and Valkey on free ports, writes the configuration and hands
the arguments over to pytest. All tests together run in as many processes as `PROCESSES` says (or as
there are processors), each on servers of its own; tests that are named run in one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from deploy.ckan_ini import CkanIni  # noqa: E402
from deploy.postgres import PORTAL_ROLE  # noqa: E402
from tests.servers import postgres, temporary_home, valkey  # noqa: E402

MOST_PROCESSES = 4


def main(arguments: list[str]) -> int:
    named = [argument for argument in arguments if Path(argument.partition("::")[0]).exists()]
    several = int(os.environ.get("PROCESSES") or min(os.cpu_count() or 1, MOST_PROCESSES))
    processes = 1 if named else several
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hanoiic-ini-")))
        # `conftest.py` finds the file of its process by the name that pytest-xdist gives it.
        files = [folder / f"gw{number}.ini" for number in range(processes)]
        for file in files:
            stack.enter_context(servers(file))
        migrate(files)
        command = [sys.executable, "-m", "pytest", "-c", str(HERE / "pytest.ini")]
        command += [f"--ckan-ini={files[0]}", f"--rootdir={HERE}"]
        if processes > 1:
            command += [f"--numprocesses={processes}", "--dist=loadfile"]
        return subprocess.call([*command, *arguments, *([] if named else [str(HERE)])], cwd=ROOT)


@contextlib.contextmanager
def servers(ini: Path) -> Iterator[None]:
    """PostgreSQL, Valkey and secrets of a CKAN, which is configured in the file ``ini``."""
    with temporary_home() as home, postgres(home) as database, valkey(home) as cache:
        CkanIni.of(
            home,
            database_url=database.url(PORTAL_ROLE, home.secret("database_portal")),
            redis_url=cache.url,
            site_url="http://test.ckan.net",
            gateway_url="http://gateway.test:8000",
            gateway_internal_url="http://127.0.0.1:9",
            log_level="WARNING",
            testing=True,
        ).write(ini)
        yield


def migrate(files: list[Path]) -> None:
    """Bring the databases of these configurations up to date, side by side."""
    ckan = [sys.executable, "-m", "ckanext.hanoiic"]
    running = [
        subprocess.Popen([*ckan, "-c", str(file), "db", "upgrade"], cwd=ROOT) for file in files
    ]
    codes = [child.wait() for child in running]
    if any(codes):
        raise SystemExit("A database can't be migrated.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
