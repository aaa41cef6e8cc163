"""A pytest plugin for CKAN's own tests: the same made-up titles in every run of a test.

CKAN's factories draw titles from a list of English words. Now and then one is what a test looks
for (`record`), and the test fails, whatever the index is.
"""

from __future__ import annotations

import pytest
from faker import Faker


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    Faker.seed(item.name)
