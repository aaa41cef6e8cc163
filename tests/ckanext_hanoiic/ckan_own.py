"""CKAN's own tests, and its extensions', on the PostgreSQL index: ``ckan_own.py [ARGUMENT ...]``.

Runs those test modules of the installed CKAN, ckanext-scheming and ckanext-dcat that search
(``peer_suites.py``), unchanged, with their own configuration for tests (English, none of our pages)
on an embedded PostgreSQL and Valkey. The first argument may name one of the suites, ``--quick``
runs CKAN's quick ones; a module can be named by its path below the suite's ``tests``. All else
goes to pytest.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from deploy.home import Home  # noqa: E402
from deploy.postgres import PORTAL_ROLE, EmbeddedPostgres  # noqa: E402
from deploy.valkey import EmbeddedValkey  # noqa: E402
from tests.ckanext_hanoiic.peer_suites import CKAN_SETTINGS, SUITES, Suite  # noqa: E402
from tests.servers import postgres, temporary_home, valkey  # noqa: E402

PYTEST_INI = """\
[pytest]
addopts = -p ckan -p ckan_fixtures -p steady_words
"""
INI = """\
[DEFAULT]
debug = false

[app:main]
use = egg:ckan
testing = true
SECRET_KEY = only-for-tests
WTF_CSRF_SECRET_KEY = only-for-tests
config.mode = strict
sqlalchemy.url = {database}
ckan.datastore.write_url = {database}
ckan.datastore.read_url = {database}
solr_url = {database}
ckan.redis.url = {redis}
ckan.storage_path = {storage}
ckan.files.storage.resources.type = ckan:fs
ckan.files.storage.resources.path = {storage}/resources
ckan.files.storage.resources.initialize = true
ckan.files.default_storages.resource = resources
ckan.plugins = {plugins}
{settings}

[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = plain

[logger_root]
level = ERROR
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain

[formatter_plain]
format = %(levelname)s [%(name)s] %(message)s
"""


def main(arguments: list[str]) -> int:
    quick = "--quick" in arguments
    arguments = [argument for argument in arguments if argument != "--quick"]
    chosen = list(SUITES.values())
    if arguments and arguments[0] in SUITES:
        chosen = [SUITES[arguments.pop(0)]]
    failed = []
    with temporary_home() as home, postgres(home) as database, valkey(home) as cache:
        for suite in chosen:
            modules = suite.quick if quick else suite.modules
            named = [part for part in arguments if _is_module(suite, part)]
            options = [part for part in arguments if not any(_is_module(s, part) for s in chosen)]
            if not modules or (not named and len(options) < len(arguments)):
                continue
            print(f"\n{suite.package}", flush=True)
            code = _run(suite, named or modules, options, home, database, cache)
            # Pytest's 5: none was chosen.
            failed += [suite.package] if code not in (0, 5) else []
    return 1 if failed else 0


def _run(
    suite: Suite,
    modules: Sequence[str],
    options: Sequence[str],
    home: Home,
    database: EmbeddedPostgres,
    cache: EmbeddedValkey,
) -> int:
    """One session of pytest; its exit code."""
    folder = home.root / suite.package
    folder.mkdir()
    ini = folder / "test-core.ini"
    ini.touch(mode=0o600)
    settings = {**CKAN_SETTINGS, **suite.settings}
    ini.write_text(
        INI.format(
            database=database.url(PORTAL_ROLE, home.secret("database_portal")),
            redis=cache.url,
            storage=home.storage,
            plugins=f"{suite.plugins} hanoiic_search",
            settings="\n".join(f"{name} = {value}" for name, value in settings.items()),
        ),
        encoding="utf-8",
    )
    pytest_ini = folder / "pytest.ini"
    pytest_ini.write_text(PYTEST_INI, encoding="utf-8")
    ckan = [sys.executable, "-m", "ckanext.hanoiic", "-c", str(ini)]
    subprocess.check_call([*ckan, "db", "upgrade"], cwd=folder)
    path = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]  # HERE: steady_words
    tests = _tests(suite)
    site_packages = tests.parents[suite.package.count(".") + 1]
    return subprocess.call(
        [
            *(sys.executable, "-m", "pytest", "-c", str(pytest_ini), f"--rootdir={site_packages}"),
            *(f"--ckan-ini={ini}", "-p", "no:cacheprovider", "-q"),
            *(f"--deselect={tests.relative_to(site_packages)}/{test}" for test in suite.left_out),
            *options,
            *(str(tests / module) for module in modules),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )


def _tests(suite: Suite) -> Path:
    return Path(importlib.util.find_spec(suite.package).origin).parent / "tests"


def _is_module(suite: Suite, argument: str) -> bool:
    return (_tests(suite) / argument.partition("::")[0]).exists()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
