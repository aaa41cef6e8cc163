"""Fixtures of the CKAN session: the plugins loaded, and an empty portal for whoever asks."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
from ckan import model, plugins
from ckan.common import config
from ckan.tests import helpers


@pytest.fixture(autouse=True, scope="session")
def tables_stand():
    """The runner has migrated everything: `clean_db` empties the tables and drops none."""
    model.repo.tables_created_and_initialised = True


@pytest.fixture
def portal(with_plugins, clean_db, clean_index, clean_redis):
    """CKAN with the portal's plugins, no data, an empty index and an empty Valkey."""


@pytest.fixture(scope="module")
def stage() -> Iterator[helpers.CKANTestApp]:
    """CKAN with the portal's plugins, loaded once for a module: that is most of a test's time."""
    original = copy.deepcopy(config)
    plugins.load_all()
    yield helpers._get_test_app()
    plugins.unload_all()
    config.clear()
    config.update(original)


@pytest.fixture
def bare(stage, clean_db, clean_index, clean_redis) -> helpers.CKANTestApp:
    """The stage without data. Its pages are asked from outside of any request."""
    return stage


@pytest.fixture
def empty(bare) -> Iterator[helpers.CKANTestApp]:
    """The stage without data, within a request of nobody."""
    with bare.flask_app.test_request_context():
        yield bare
