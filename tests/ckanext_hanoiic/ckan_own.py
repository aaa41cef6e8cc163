"""CKAN's own tests against the PostgreSQL index: ``ckan_own.py [ARGUMENT ...]``.

Runs those test modules of the installed CKAN that search, unchanged, with CKAN's own configuration
for tests (English, no other plugins) on an embedded PostgreSQL and Valkey. Arguments go to pytest;
a module of CKAN can be named by its path below ``ckan/tests``.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from deploy.postgres import PORTAL_ROLE  # noqa: E402
from tests.servers import postgres, temporary_home, valkey  # noqa: E402

CKAN = Path(importlib.util.find_spec("ckan").origin).parent
MODULES = (
    "cli/test_db.py",
    "cli/test_search_index.py",
    "lib/search",
    "logic/action/test_get.py",
    "controllers/test_package.py",
    "controllers/test_feed.py",
    "controllers/test_home.py",
)
# What can't pass from a wheel, whatever the index is.
LEFT_OUT = {
    "lib/search/test_search.py::test_check_invalid_schema": "its data file is not in CKAN's wheel",
    "lib/search/test_search.py::test_check_schema_with_wrong_version": "its data file is not in "
    "CKAN's wheel",
}

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
ckan.plugins = hanoiic_search
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

# CKAN's `test-core.ini` (release 2.12), which its wheel doesn't ship.
SETTINGS = {
    "ckan.site_id": "test.ckan.net",
    "ckan.site_url": "http://test.ckan.net",
    "ckan.site_title": "CKAN",
    "package_new_return_url": "http://localhost/dataset/<NAME>?test=new",
    "package_edit_return_url": "http://localhost/dataset/<NAME>?test=edit",
    "ckan.cache_validation_enabled": "False",
    "ckan.cache_enabled": "False",
    "ckan.tests.functional.test_cache.expires": "1800",
    "ckan.locale_default": "en",
    "ckan.locale_order": "en pt_BR ja it cs_CZ ca es fr el sv sr sr@latin no sk fi ru de pl nl bg "
    "ko_KR hu sl lv",
    "ckan.locales_filtered_out": "",
    "ckan.datastore.sqlsearch.enabled": "True",
    "ckan.auth.user_create_organizations": "true",
    "ckan.auth.user_create_groups": "true",
    "ckan.auth.create_user_via_web": "true",
    "ckan.auth.create_user_via_api": "false",
    "ckan.auth.create_dataset_if_not_in_organization": "true",
    "ckan.auth.anon_create_dataset": "false",
    "ckan.auth.user_delete_groups": "true",
    "ckan.auth.user_delete_organizations": "true",
    "ckan.auth.create_unowned_dataset": "true",
    "ckan.activity_streams_email_notifications": "True",
    "ckan.activity_list_limit": "15",
    "ckan.tracking_enabled": "true",
    "ckan.extra_resource_fields": "alt_url",
    "smtp.test_server": "localhost:6675",
    "smtp.mail_from": "info@test.ckan.net",
    "ckan.views.default_views": "image_view recline_view",
    "ckan.search.solr_allowed_query_parsers": "",
}


def main(arguments: list[str]) -> int:
    named = [str(CKAN / "tests" / part) for part in arguments if _is_module(part)]
    options = [part for part in arguments if not _is_module(part)]
    with (
        temporary_home() as home,
        postgres(home) as database,
        valkey(home) as cache,
        tempfile.TemporaryDirectory(prefix="ckan-own-") as folder,
    ):
        ini = Path(folder) / "test-core.ini"
        ini.touch(mode=0o600)
        ini.write_text(
            INI.format(
                database=database.url(PORTAL_ROLE, home.secret("database_portal")),
                redis=cache.url,
                storage=home.storage,
                settings="\n".join(f"{name} = {value}" for name, value in SETTINGS.items()),
            ),
            encoding="utf-8",
        )
        settings = Path(folder) / "pytest.ini"
        settings.write_text("[pytest]\naddopts = -p ckan -p ckan_fixtures\n", encoding="utf-8")
        ckan = [sys.executable, "-m", "ckanext.hanoiic"]
        subprocess.check_call([*ckan, "-c", str(ini), "db", "upgrade"], cwd=folder)
        return subprocess.call(
            [
                *(sys.executable, "-m", "pytest", "-c", str(settings), f"--rootdir={CKAN.parent}"),
                *(f"--ckan-ini={ini}", "-p", "no:cacheprovider", "-q"),
                *(f"--deselect=ckan/tests/{test}" for test in LEFT_OUT),
                *options,
                *(named or [str(CKAN / "tests" / module) for module in MODULES]),
            ],
            cwd=folder,
        )


def _is_module(argument: str) -> bool:
    return (CKAN / "tests" / argument.partition("::")[0]).exists()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
