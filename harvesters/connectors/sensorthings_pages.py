"""A page of a SensorThings service: its entities, and the address of the next page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harvesters import decode as decoding
from harvesters import pages
from harvesters.connectors import json
from harvesters.errors import ApiRefused
from harvesters.fetch import Fetched
from harvesters.pages import joined


def values(fetched: Fetched) -> Iterator[Any]:
    """The entities of a page. Raises ApiRefused for what is no page of SensorThings."""
    if not json.has_list(decoding.text(fetched.path), "value"):
        said = pages.scalars(fetched.path, ["message", "error.message", "description"])
        words = next((str(text)[:200] for text in said.values() if text), "it has no value")
        raise ApiRefused(f"The answer is no list of SensorThings: {words}.")
    return pages.items(fetched.path, "value.item")


def next_page(fetched: Fetched, url: str) -> str | None:
    """The address of the next page. Raises PagesBroken, ApiRefused."""
    said = pages.scalars(fetched.path, ["@iot.nextLink"]).get("@iot.nextLink")
    if said in (None, ""):
        return None
    if not isinstance(said, str):
        raise ApiRefused("The service's @iot.nextLink is no address.")
    return joined(url, said)
