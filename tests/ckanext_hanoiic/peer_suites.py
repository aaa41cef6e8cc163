"""Tests of other projects that search: what their wheels ship, their settings, what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# CKAN's `test-core.ini` (release 2.12), which its wheel doesn't ship.
CKAN_SETTINGS = {
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


@dataclass(frozen=True)
class Suite:
    """Test modules of one installed ``package``, below its folder ``tests``.

    ``quick``: those of them that search most, in seconds. ``left_out``: test → why it can't pass
    from a wheel, whatever the index is.
    """

    package: str
    modules: tuple[str, ...]
    quick: tuple[str, ...] = ()
    plugins: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


CKAN = Suite(
    package="ckan",
    modules=(
        "cli/test_db.py",
        "cli/test_search_index.py",
        "lib/search",
        "logic/action/test_get.py",
        "controllers/test_package.py",
        "controllers/test_feed.py",
        "controllers/test_home.py",
    ),
    quick=(
        "lib/search/test_index.py",
        "lib/search/test_query.py::TestPackageQuery",
        "logic/action/test_get.py::TestPackageSearch",
    ),
    left_out={
        "lib/search/test_search.py::test_check_invalid_schema": "its data file is not in the wheel",
        "lib/search/test_search.py::test_check_schema_with_wrong_version": "its data file is not "
        "in the wheel",
    },
)

SCHEMING = Suite(
    package="ckanext.scheming",
    modules=(
        "test_dataset_display.py",
        "test_dataset_logic.py",
        "test_form.py",
        "test_group_display.py",
        "test_group_logic.py",
        "test_validation.py",
    ),
    plugins="scheming_datasets scheming_groups scheming_organizations scheming_test_plugin "
    "scheming_nerf_index",
    settings={
        "scheming.dataset_schemas": "ckanext.scheming:ckan_dataset.yaml "
        "ckanext.scheming.tests:test_schema.json ckanext.scheming.tests:test_subfields.yaml "
        "ckanext.scheming.tests:test_datastore_choices.json ckanext.scheming:ckan_formpages.yaml",
        "scheming.organization_schemas": "ckanext.scheming:org_with_dept_id.json "
        "ckanext.scheming:custom_org_with_address.json",
        "scheming.group_schemas": "ckanext.scheming:group_with_bookface.json "
        "ckanext.scheming:custom_group_with_status.json",
    },
)

DCAT = Suite(
    package="ckanext.dcat",
    modules=("test_blueprints.py", "profiles/dcat_ap_2/test_scheming_support.py"),
    plugins="dcat",
    settings={"ckanext.dcat.enable_content_negotiation": "True"},
    left_out={
        "profiles/dcat_ap_2/test_scheming_support.py::TestSchemingSerializeSupport::"
        "test_e2e_ckan_to_dcat": "its example file is not in the wheel",
        "profiles/dcat_ap_2/test_scheming_support.py::TestSchemingParseSupport::"
        "test_e2e_dcat_to_ckan": "its example file is not in the wheel",
        "test_blueprints.py::TestDatasetSeries": "needs the extension ckanext-dataset-series",
    },
)

SUITES = {"ckan": CKAN, "scheming": SCHEMING, "dcat": DCAT}
