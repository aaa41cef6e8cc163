"""Whatever a server does: a named error, within its caps, and nothing is published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import monotonic

import pytest
from pytest_httpserver import HTTPServer

from harvesters import connectors
from harvesters.errors import HarvestError
from harvesters.fetch import Client, FetchLimits
from harvesters.source import Source
from lake.store import Lake
from tests.harvesters.hostile.apis import APIS
from tests.harvesters.hostile.case import Case
from tests.harvesters.hostile.catalogues import CATALOGUES
from tests.harvesters.hostile.files import FILES
from tests.harvesters.hostile.network import NETWORK
from tests.harvesters.taking import Taking
from tests.harvesters.test_hostile import MEMORY_KIB, forget_peak, peak_kib

LIMITS = FetchLimits(
    max_bytes=24 << 20,
    connect_timeout_s=2,
    read_timeout_s=0.6,
    total_s=1.2,
    retries=1,
    resumes=1,
    backoff_s=0.01,
)
# Of all attempts together, on a machine that does other things as well.
LONGEST_S = 30


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
    with served(case, httpserver) as url:
        before = forget_peak()
        started = monotonic()
        ran = taken(case.kind, url=url, **case.options)
        assert monotonic() - started < LONGEST_S
    assert isinstance(ran.error, HarvestError)
    assert ran.code in case.codes, ran.error
    assert ran.error.detail
    assert lake.tables() == []
    assert peak_kib(before) < MEMORY_KIB
    assert not list(client.raw_dir.glob(".incoming-*"))


@pytest.mark.parametrize("case", CATALOGUES, ids=lambda case: case.name)
def test_a_catalogue_ends_in_its_named_error(
    case: Case, client: Client, httpserver: HTTPServer
) -> None:
    with served(case, httpserver) as url:
        source = Source.of(
            {"id": "s", "name": "s", "kind": case.kind, "url": url, "dataset": {"table": "s"}}
        )
        before = forget_peak()
        offers = iter(connectors.of(case.kind).discover(source, client))
        # Not one dataset is offered before the whole catalogue is known to be sound.
        with pytest.raises(HarvestError) as refused:
            next(offers)
    assert refused.value.code in case.codes, refused.value
    assert refused.value.detail
    assert peak_kib(before) < MEMORY_KIB
