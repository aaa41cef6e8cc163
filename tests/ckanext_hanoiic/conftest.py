"""Fixtures of the CKAN session: the plugins loaded and an empty portal for every test that asks for one."""

from __future__ import annotations

import pytest
from ckan import model


@pytest.fixture(autouse=True, scope="session")
def tables_stand():
    """The runner has migrated everything: `clean_db` empties the tables and drops none."""
    model.repo.tables_created_and_initialised = True


@pytest.fixture
def portal(with_plugins, clean_db, clean_index, clean_redis):
    """CKAN with the portal's plugins, no data, an empty index and an empty Valkey."""
