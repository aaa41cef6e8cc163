"""One court for all cases, and a second gateway beside the portal's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api_gateway import gateway as gateways
from tests.api_gateway.gateway import Gateway
from tests.e2e.acceptance.court import Court
from tests.e2e.conftest import Stack


@pytest.fixture(scope="session")
def court(stack: Stack) -> Court:
    return Court(stack)


@pytest.fixture(scope="module")
def second_gateway(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway on the same portal, lake and Valkey."""
    folder = tmp_path_factory.mktemp("second-gateway")
    own = {"GATEWAY_EVENTS_DIR": folder / "events", "GATEWAY_SPILL_DIR": folder / "spill"}
    with gateways.running(folder, own, {"HANOIIC_HOME": str(stack.home)}) as gateway:
        yield gateway
