"""Whatever a server does: a named error, within its caps, and nothing is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from harvesters.errors import HarvestError
from harvesters.fetch import Client, FetchLimits
from lake.store import Lake
from tests.harvesters.conftest import Ran
from tests.harvesters.fake_portal import FakePortal
from tests.harvesters.hostile.apis import APIS
from tests.harvesters.hostile.caps import within_caps
from tests.harvesters.hostile.case import Case
from tests.harvesters.hostile.catalogues import CATALOGUES
from tests.harvesters.hostile.files import FILES
from tests.harvesters.hostile.network import NETWORK
from tests.harvesters.taking import Taking

LIMITS = FetchLimits(
    max_bytes=24 << 20,
    connect_timeout_s=2,
    read_timeout_s=0.6,
    total_s=1.2,
    retries=1,
    resumes=1,
    backoff_s=0.01,
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    # The test's servers are called `localhost`; every other name of this machine is forbidden.
    client = Client(tmp_path / "raw", ["localhost"], LIMITS)
    yield client
    client.close()


def test_the_whole_corpus_has_names_of_its_own():
    cases = [*FILES, *NETWORK, *APIS, *CATALOGUES]
    assert len({case.name for case in cases}) == len(cases) >= 60


def served(case: Case, server: HTTPServer) -> AbstractContextManager[str]:
    assert case.served is not None
    found = case.served(server)
    return nullcontext(found) if isinstance(found, str) else found


@pytest.mark.parametrize("case", [*NETWORK, *APIS], ids=lambda case: case.name)
def test_a_server_ends_in_its_named_error(
    case: Case, taken: Taking, client: Client, httpserver: HTTPServer, lake: Lake
) -> None:
    with served(case, httpserver) as url, within_caps():
        ran = taken(case.kind, url=url, **case.options)
    assert isinstance(ran.error, HarvestError)
    assert ran.code in case.codes, ran.error
    assert ran.error.detail
    assert lake.tables() == []
    assert not list(client.raw_dir.glob(".incoming-*"))


@pytest.mark.parametrize("case", CATALOGUES, ids=lambda case: case.name)
def test_a_run_of_a_catalogue_ends_in_its_named_error_and_nothing_is_published(
    case: Case,
    run: Callable[..., Ran],
    portal: FakePortal,
    httpserver: HTTPServer,
    lake: Lake,
) -> None:
    with served(case, httpserver) as url:
        source = portal.add_source(name="s", kind=case.kind, url=url, dataset={"table": "s"})
        with within_caps():
            ran = run(source)
    assert isinstance(ran.error, HarvestError)
    assert ran.error.code in case.codes, ran.error
    assert ran.error.detail
    # Not one dataset is taken over before the whole catalogue is known to be sound.
    assert lake.tables() == []
    assert portal.datasets == portal.reserved == {}
    assert ran.report.tables == ran.report.datasets() == []
