"""Make a CKAN ready to serve: ``python -m ckanext.hanoiic.prepare --ini F --secrets DIR``.

Loads CKAN once and does, idempotently, what would be a dozen of ``ckan`` commands: migrations of
CKAN and of every plugin, the first sysadmin, the service users of the gateway and the harvesters
with an API token each (written to files of mode 0600, never printed), the topics, JavaScript
translations and assets. Exits with 1 and one line on stderr when a step fails.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import pylibmagic  # noqa: F401  (before CKAN: finds libmagic where the system has none)
import yaml
from ckan import model
from ckan.cli import load_config
from ckan.cli.db import _get_pending_plugins, _run_migrations
from ckan.config.middleware import make_app
from ckan.lib import webassets_tools
from ckan.lib.i18n import build_js_translations
from ckan.logic import NotFound
from ckan.plugins import toolkit as tk
from webassets import script

OPERATOR = "operator"
SERVICE = "service"
TOPICS = Path(__file__).with_name("topics.yaml")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ckanext.hanoiic.prepare", description=__doc__)
    parser.add_argument("--ini", required=True, type=Path, help="CKAN's configuration file")
    parser.add_argument(
        "--secrets",
        required=True,
        type=Path,
        help="folder with operator_password; gets the tokens' files",
    )
    options = parser.parse_args(arguments)
    app = make_app(load_config(str(options.ini)))
    with app._wsgi_app.test_request_context():
        migrate()
        site = tk.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
        ensure_operator(site, read(options.secrets / "operator_password"))
        service_tokens = {
            OPERATOR: "operator_credential",
            tk.config["hanoiic.gateway_user"]: "gateway_credential",
            tk.config["hanoiic.harvester_user"]: "harvest_credential",
        }
        for user, file in service_tokens.items():
            ensure_user(site, user)
            ensure_token(site, user, options.secrets / file)
        ensure_topics(site)
        build_js_translations()
        script.main(["build"], webassets_tools.env)
    return 0


def migrate() -> None:
    """Bring CKAN's tables and every plugin's to their newest revision."""
    _run_migrations("")
    for plugin in sorted(_get_pending_plugins()):
        _run_migrations(plugin)


def ensure_operator(site: str, password: str) -> None:
    user = ensure_user(site, OPERATOR, password=password)
    if not user["sysadmin"]:
        tk.get_action("user_patch")(as_user(site), {"id": OPERATOR, "sysadmin": True})


def ensure_user(site: str, name: str, password: str | None = None) -> dict[str, Any]:
    try:
        return tk.get_action("user_show")(as_user(site), {"id": name})
    except NotFound:
        return tk.get_action("user_create")(
            as_user(site),
            {
                "name": name,
                # Reserved by RFC 2606: no mail ever leaves for a service user.
                "email": f"{name}@portal.invalid",
                # Nobody signs in as a service user: the random password is not kept.
                "password": password or os.urandom(24).hex(),
            },
        )


def ensure_token(site: str, user: str, file: Path) -> None:
    """One API token a service user; made anew when its file is gone or CKAN doesn't know it."""
    from ckan.lib import api_token

    if file.exists() and api_token.get_user_from_token(read(file), update_access_time=False):
        return
    created = tk.get_action("api_token_create")(as_user(site), {"user": user, "name": SERVICE})
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(created["token"] + "\n")


def ensure_topics(site: str) -> None:
    for topic in yaml.safe_load(TOPICS.read_text(encoding="utf-8")):
        if model.Group.get(topic["name"]) is None:
            tk.get_action("group_create")(as_user(site), topic)


def as_user(name: str) -> dict[str, Any]:
    return {"user": name, "ignore_auth": True}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    sys.exit(main())
