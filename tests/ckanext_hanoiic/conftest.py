"""Fixtures of the CKAN session: the plugins loaded, and an empty portal for whoever asks."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from ckan import plugins
from ckan.common import config
from ckan.tests import helpers
from ckan.tests.helpers import call_action
from console_scene import department_with_officer
from fresh_database import empty_database
from hypothesis import HealthCheck, settings
from passlib.hash import pbkdf2_sha512

# A machine that has other work takes its time: the session's time limit judges, not milliseconds.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# Tests make a user each: thousands of rounds would be a sixth of their time.
pbkdf2_sha512.default_rounds = 1


def pytest_configure(config: pytest.Config) -> None:
    """A process of several has a configuration of its own, beside the first one's (`run.py`)."""
    if process := os.environ.get("PYTEST_XDIST_WORKER"):
        first = Path(config.option.ckan_ini)
        config.option.ckan_ini = str(first.with_name(f"{process}.ini"))


@pytest.fixture(scope="session")
def reset_db():
    """The runner has migrated everything: CKAN's `clean_db` empties the tables and drops none."""
    return empty_database


_standing: list[tuple[plugins.Plugin, helpers.CKANTestApp]] = []


def standing() -> helpers.CKANTestApp:
    """CKAN with the portal's plugins: loaded once, and anew after a test that unloaded them.

    Loading takes seconds, most of a test's time.
    """
    loaded = plugins.plugin_loaded("hanoiic_portal") and plugins.get_plugin("hanoiic_portal")
    if not (_standing and _standing[0][0] is loaded):
        app = helpers._get_test_app()
        _standing[:] = [(plugins.get_plugin("hanoiic_portal"), app)]
    return _standing[0][1]


@pytest.fixture(scope="module")
def stage() -> Iterator[helpers.CKANTestApp]:
    """The standing CKAN; what a module sets in its configuration is gone afterwards."""
    original = copy.deepcopy(config)
    yield standing()
    config.clear()
    config.update(original)


@pytest.fixture
def portal(stage, clean_db, clean_index, clean_redis):
    """CKAN with the portal's plugins, no data, an empty index and an empty Valkey."""


@pytest.fixture
def bare(stage, clean_db, clean_index, clean_redis) -> helpers.CKANTestApp:
    """The stage without data. Its pages are asked from outside of any request."""
    return stage


@pytest.fixture
def empty(bare) -> Iterator[helpers.CKANTestApp]:
    """The stage without data, within a request of nobody."""
    with bare.flask_app.test_request_context():
        yield bare


@pytest.fixture
def department(stage, clean_db) -> dict[str, Any]:
    """A department of the console's tests, with an officer and the harvest worker's user."""
    return department_with_officer()


@pytest.fixture
def browse(stage, department):
    """Open a page or send a form as the department's officer: the answer's soup and its address."""
    token = call_action("api_token_create", user="can-bo", name="test")["token"]

    def browse(path, form=None, status=200, **said):
        headers = {"Authorization": token}
        send = stage.get if form is None else stage.post
        answer = send(path, headers=headers, data=form, status=status, **said)
        page = BeautifulSoup(answer.body, "lxml")
        return page, answer.request.path

    return browse
