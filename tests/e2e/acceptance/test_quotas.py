"""Acceptance cases about what an agreement may use, on two gateways that share a portal."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import pyarrow as pa
import pytest
import requests

from tests.api_gateway.gateway import Gateway
from tests.e2e.acceptance.court import Court
from tests.servers import wait_for

pytestmark = pytest.mark.e2e

ROWS = pa.table({"id": pa.array([1, 2, 3], pa.int64())})
USED = (
    "SELECT coalesce(sum(used), 0)::int, coalesce(sum(leased), 0)::int FROM hanoiic_usage_counter "
    "WHERE agreement_id = %s AND measure = 'queries'"
)


def test_case_04_quota_100_against_320_calls_on_two_gateways(
    court: Court, second_gateway: Gateway
) -> None:
    table = court.name("rationed")
    dataset = court.dataset("click", {"rationed": ROWS})
    court.offer(dataset, "click", quota={"queries_per_day": 100, "concurrent_queries": 64})
    agreement, token = court.accepted(dataset)["id"], court.token()

    def ask(url: str) -> tuple[int, str | None]:
        """The first answer that is none of a busy machine's, as a client would wait for it."""
        for _ in range(20):
            answer = second_gateway.session.post(
                f"{url}/v1/sql",
                json={"sql": f"SELECT count(*) AS n FROM {table}"},
                headers={"Authorization": f"Bearer {token}"},
                timeout=60,
            )
            if answer.status_code != requests.codes.unavailable:
                break
            time.sleep(0.2)
        return answer.status_code, answer.json().get("code")

    urls = islice(cycle((court.stack.gateway_url, second_gateway.url)), 320)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, urls))
    succeeded = answers.count((200, None))
    assert set(answers) == {(200, None), (403, "quota_exceeded")}
    assert 80 <= succeeded <= 100
    wait_for(
        lambda: court.database.execute(USED, (agreement,)).fetchone() == (succeeded, 0),
        f"a counter of {succeeded}",
        15,
    )


def test_case_06_one_idempotency_key_and_eleven_retries_are_charged_once(
    court: Court, second_gateway: Gateway
) -> None:
    table = court.name("repeated")
    dataset = court.dataset("click", {"repeated": ROWS})
    court.offer(dataset, "click", quota={"queries_per_day": 5})
    agreement, token = court.accepted(dataset)["id"], court.token()
    for url in islice(cycle((court.stack.gateway_url, second_gateway.url)), 12):
        answer = second_gateway.session.post(
            f"{url}/v1/sql",
            json={"sql": f"SELECT id FROM {table}"},
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "again and again"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
    wait_for(
        lambda: court.database.execute(USED, (agreement,)).fetchone() == (1, 0), "one charge", 15
    )
