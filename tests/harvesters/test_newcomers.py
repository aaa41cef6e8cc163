"""New datasets that wait together are made together; one that cannot be made holds up no other."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from harvesters.errors import PortalFailed, PortalRefused, PortalUnavailable
from harvesters.newcomers import MOST, REQUESTS_AT_ONCE, Made, Newcomers
from harvesters.portal import Portal
from tests.harvesters.fake_portal import TOKEN
from tests.servers import wait_for


def dataset(number: int) -> dict[str, Any]:
    return {"name": f"d{number}", "resources": []}


@pytest.fixture
def made_after_a_wait(portal):
    """Has datasets made while requests are under way already; what became of each."""
    go = threading.Event()

    def made(wanted: list[dict[str, Any]]) -> list[Future[Made]]:
        for action in ("package_create", "hanoiic_datasets_create"):
            portal.before[action] = lambda _: go.wait(10)
        under_way = [dataset(1000 + number) for number in range(REQUESTS_AT_ONCE)]
        threads = len(under_way) + len(wanted)
        with Newcomers(Portal(portal.url, TOKEN)) as newcomers, ThreadPoolExecutor(threads) as pool:
            for number, first in enumerate(under_way, 1):
                pool.submit(newcomers.make, first)
                wait_for(lambda count=number: len(portal.calls) == count, "a request")
            futures = [pool.submit(newcomers.make, one) for one in wanted]
            wait_for(lambda: len(newcomers._waiting) == len(wanted), "the others")
            portal.calls.clear()
            go.set()
        return futures

    yield made
    go.set()


def test_what_comes_while_requests_are_under_way_goes_in_one(portal, made_after_a_wait):
    futures = made_after_a_wait([dataset(number) for number in range(MOST)])
    assert [one.result().dataset["name"] for one in futures] == [f"d{n}" for n in range(MOST)]
    assert {one.result().dataset["id"] for one in futures} <= set(portal.datasets)
    assert portal.calls == ["hanoiic_datasets_create"]


def test_one_that_is_refused_has_its_own_error_and_the_others_are_made(portal, made_after_a_wait):
    portal.datasets["other"] = {"id": "other", "name": "d3"}
    futures = made_after_a_wait([dataset(number) for number in range(6)])
    with pytest.raises(PortalRefused) as refused:
        futures[3].result()
    assert "name" in refused.value.facts["fields"]
    others = futures[:3] + futures[4:]
    assert [one.result().dataset["name"] for one in others] == ["d0", "d1", "d2", "d4", "d5"]


def test_each_is_told_when_the_portal_is_away(portal):
    portal.close()
    with Newcomers(Portal(portal.url, TOKEN)) as newcomers, ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(newcomers.make, dataset(number)) for number in range(8)]
        for future in futures:
            with pytest.raises(PortalUnavailable):
                future.result()


def test_each_is_told_when_the_answer_is_no_answer(portal, made_after_a_wait):
    portal.hanoiic_datasets_create = lambda _: {"made": 3}
    futures = made_after_a_wait([dataset(number) for number in range(3)])
    for future in futures:
        with pytest.raises(PortalFailed):
            future.result(10)
