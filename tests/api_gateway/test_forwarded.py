"""Whose address it is behind proxies: nobody can write another one into a header."""

from __future__ import annotations

import pytest
import requests

from api_gateway import forwarded
from tests.api_gateway import gateway as gateways

PROXIES = ("127.0.0.1", "10.0.0.0/8", "::1")


@pytest.mark.parametrize(
    ("peer", "headers", "proxies", "found"),
    [
        ("203.0.113.9", ["198.51.100.1"], (), "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1"], (), "127.0.0.1"),
        ("203.0.113.9", ["198.51.100.1"], PROXIES, "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1"], PROXIES, "198.51.100.1"),
        # What the caller wrote itself stands before what the proxy added.
        ("127.0.0.1", ["1.1.1.1, 198.51.100.1"], PROXIES, "198.51.100.1"),
        ("127.0.0.1", ["1.1.1.1", "198.51.100.1, 10.1.2.3"], PROXIES, "198.51.100.1"),
        ("127.0.0.1", ["10.0.0.1, 10.0.0.2"], PROXIES, "10.0.0.1"),
        ("127.0.0.1", ["unknown"], PROXIES, "127.0.0.1"),
        ("127.0.0.1", ["1.1.1.1, ' OR 1=1"], PROXIES, "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1:4711"], PROXIES, "198.51.100.1"),
        ("::1", ["[2001:db8::7]:4711"], PROXIES, "2001:db8::7"),
        ("::ffff:127.0.0.1", ["::ffff:198.51.100.1"], PROXIES, "198.51.100.1"),
        ("127.0.0.1", [], PROXIES, "127.0.0.1"),
        (None, ["198.51.100.1"], PROXIES, None),
    ],
)
def test_the_address_is_what_the_last_trusted_proxy_saw(peer, headers, proxies, found):
    assert forwarded.address(peer, headers, proxies) == found


def test_a_network_of_ipv6_is_one_caller():
    assert forwarded.group("2001:db8:1:2:3::4") == forwarded.group("2001:db8:1:2::5")
    assert forwarded.group("2001:db8:1:2::5") != forwarded.group("2001:db8:1:3::5")
    assert forwarded.group("::ffff:198.51.100.1") == "198.51.100.1"
    assert forwarded.group(None) is None


def test_rates_are_counted_by_the_address_behind_the_proxy(folder, settings, portal):
    own = settings | {
        "GATEWAY_ANONYMOUS_REQUESTS_PER_MINUTE": 3,
        "GATEWAY_TRUSTED_PROXIES": "127.0.0.1",
        "GATEWAY_SPILL_DIR": folder / "spill-forwarded",
    }

    def status(*said: str) -> int:
        headers = {"X-Forwarded-For": ", ".join(said)} if said else {}
        url = f"{gateway.url}/v1/tables"
        return requests.get(url, headers=headers, timeout=30).status_code

    with gateways.running(folder, own) as gateway:
        assert [status("198.51.100.1") for _ in range(4)] == [200, 200, 200, 429]
        assert status("203.0.113.9", "198.51.100.1") == 429
        assert status("198.51.100.2") == 200
        portal.networks = ["198.51.100.0/24"]
        portal.change()
        for address, answer in (("198.51.100.7", 200), ("203.0.113.1", 403)):
            headers = {"X-Forwarded-For": address, "Authorization": "Bearer hic_startup"}
            url = f"{gateway.url}/v1/sql?q=FROM wards"
            assert requests.get(url, headers=headers, timeout=30).status_code == answer
