"""The worker class: kept connections, whoever asks again at once or does not."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from gunicorn.config import Config

from api_gateway.serving import settle
from tests.api_gateway.gateway import THREADS


def test_kept_connections_are_answered_in_any_order(gateway):
    parts = urlsplit(gateway.url)
    assert parts.hostname
    many = [http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
            for _ in range(2 * THREADS)]  # fmt: skip

    def ask(connection: http.client.HTTPConnection) -> int:
        connection.request("GET", "/v1/health")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    # More than there are threads, all kept; then one of them asks again and again.
    assert {ask(each) for each in many} == {200}
    assert {ask(many[0]) for _ in range(50)} == {200}
    # The others were not forgotten, and one that leaves at once takes nothing with it.
    many[0].close()
    assert {ask(each) for each in many[1:]} == {200}
    for each in many:
        each.close()


def test_a_short_answer_says_how_long_it_is(gateway):
    answer = gateway.sql("SELECT 1 AS x", headers={"Accept-Encoding": "identity"})
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert answer.json()["rows"] == [{"x": 1}]
    packed = gateway.sql("SELECT 1 AS x", headers={"Accept-Encoding": "gzip"})
    assert 0 < int(packed.headers["Content-Length"]) < len(packed.content)
    assert packed.json()["rows"] == [{"x": 1}]


def test_settings_that_are_found_at_once_say_the_same():
    cfg = Config()
    cfg.set("keepalive", 75)
    cfg.set("workers", 3)
    before = {name: getattr(cfg, name) for name in cfg.settings}
    settle(cfg)
    assert {name: getattr(cfg, name) for name in cfg.settings} == before
    assert cfg.__dict__["keepalive"] == 75
