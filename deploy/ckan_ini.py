"""CKAN's configuration file, written whole by the launcher at every start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.home import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any, Self

    from deploy.home import Home

PLUGINS = (
    "hanoiic_portal hanoiic_licensing hanoiic_console hanoiic_search "
    "scheming_datasets scheming_groups scheming_organizations dcat structured_data"
)
GATEWAY_USER = "hanoiic-gateway"
HARVESTER_USER = "hanoiic-harvester"

# CKAN's test fixtures copy the configuration deeply, which a Redis session's client forbids.
TESTING = {"testing": "true", "WTF_CSRF_ENABLED": "false", "SESSION_TYPE": "cookie"}

LOGGING = """
[loggers]
keys = root, ckan, ckanext

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARNING
handlers = console

[logger_ckan]
level = {level}
handlers = console
qualname = ckan
propagate = 0

[logger_ckanext]
level = {level}
handlers = console
qualname = ckanext
propagate = 0

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(asctime)s %(levelname)-5.5s [%(name)s] %(message)s
"""


@dataclass(frozen=True)
class CkanIni:
    """What differs from one installation to the next.

    ``solr_url`` decides the search index: a ``postgresql://`` URL keeps it in PostgreSQL, any
    other is a real Solr.
    """

    secret_key: str
    database_url: str
    redis_url: str
    solr_url: str
    site_url: str
    gateway_url: str
    gateway_internal_url: str
    storage: Path
    source_secrets_key_file: Path
    edition_key_file: Path
    audit_key_file: Path
    audit_checkpoints_file: Path
    notices: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "INFO"
    testing: bool = False

    @classmethod
    def of(cls, home: Home, *, database_url: str, **more: Any) -> Self:
        """The configuration of a home, whose secrets are made where they are missing; ``more``
        are the fields that the home doesn't tell. The search index is in the same database
        unless ``solr_url`` is among them."""
        # 32 random bytes each: keys of Fernet.
        for key in ("source_secrets.key", "edition.key"):
            home.secret(key)
        return cls(
            secret_key=home.secret("ckan"),
            database_url=database_url,
            storage=home.storage,
            source_secrets_key_file=home.secret_file("source_secrets.key"),
            edition_key_file=home.secret_file("edition.key"),
            audit_key_file=home.signing_key("audit_signing.key"),
            audit_checkpoints_file=home.checkpoints,
            **{"solr_url": database_url, **more},
        )

    def options(self) -> dict[str, str]:
        return {
            "SECRET_KEY": self.secret_key,
            "config.mode": "strict",
            "sqlalchemy.url": self.database_url,
            "sqlalchemy.pool_pre_ping": "true",
            "ckan.redis.url": self.redis_url,
            "solr_url": self.solr_url,
            "ckan.site_id": "hanoiic",
            "ckan.site_url": self.site_url,
            "ckan.site_title": "Cổng dữ liệu mở Hà Nội",
            "ckan.plugins": PLUGINS,
            "ckan.storage_path": str(self.storage),
            "ckan.locale_default": "vi",
            "ckan.locales_offered": "vi en",
            "ckan.locale_order": "vi en",
            "ckan.display_timezone": "Asia/Ho_Chi_Minh",
            "ckan.hide_version": "true",
            "ckan.favicon": "/hanoiic/favicon.svg",
            # Else a reader's browser asks gravatar.com for each person on a page.
            "ckan.gravatar_default": "disabled",
            "ckan.auth.create_user_via_web": "true",
            "ckan.auth.user_create_groups": "false",
            "ckan.auth.user_create_organizations": "false",
            "ckan.auth.public_user_details": "false",
            "ckan.auth.create_unowned_dataset": "false",
            "ckan.dataset.create_on_ui_requires_resources": "false",
            "ckan.views.default_views": "",
            "ckan.cors.origin_allow_all": "true",
            "ckan.search.default_package_sort": "score desc, metadata_modified desc",
            "SESSION_TYPE": "redis",
            "SESSION_COOKIE_HTTPONLY": "true",
            "SESSION_COOKIE_SAMESITE": "Lax",
            "SESSION_COOKIE_SECURE": str(self.site_url.startswith("https:")).lower(),
            "scheming.dataset_schemas": "ckanext.hanoiic.portal:schemas/dataset.yaml",
            "scheming.group_schemas": "ckanext.hanoiic.portal:schemas/group.yaml",
            "scheming.organization_schemas": "ckanext.hanoiic.portal:schemas/organization.yaml",
            "scheming.presets": (
                "ckanext.scheming:presets.json ckanext.hanoiic.portal:schemas/presets.yaml"
            ),
            "hanoiic.gateway_url": self.gateway_url,
            "hanoiic.gateway_internal_url": self.gateway_internal_url,
            "hanoiic.gateway_user": GATEWAY_USER,
            "hanoiic.harvester_user": HARVESTER_USER,
            "hanoiic.source_secrets_key_file": str(self.source_secrets_key_file),
            "hanoiic.edition_key_file": str(self.edition_key_file),
            "hanoiic.audit_key_file": str(self.audit_key_file),
            "hanoiic.audit_checkpoints_file": str(self.audit_checkpoints_file),
            **self.notices,
            **(TESTING if self.testing else {}),
        }

    def write(self, path: Path) -> None:
        lines = ["[DEFAULT]", "debug = false", "", "[app:main]", "use = egg:ckan"]
        # A bare percent sign starts an interpolation in this format.
        lines += [f"{key} = {value.replace('%', '%%')}" for key, value in self.options().items()]
        write_private(path, "\n".join(lines) + "\n" + LOGGING.format(level=self.log_level))
