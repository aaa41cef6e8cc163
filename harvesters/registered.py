"""Which datasets the portal has: of a catalogue asked once a run, not once a dataset."""

from __future__ import annotations

import json
import zlib
from typing import Any

from harvesters.portal import Portal
from harvesters.source import Source

# CKAN gives no more in one answer.
PAGE_ROWS = 1_000


class Registered:
    """The active datasets of one source. `many`: it is a catalogue, so all are asked for together.

    What the portal's search does not list is asked for by itself before it counts as gone. A
    dataset is kept packed: a catalogue may have tens of thousands.
    """

    def __init__(self, source: Source, portal: Portal, many: bool) -> None:
        self._source = source
        self._portal = portal
        self._many = many
        self._listed: dict[str, bytes] | None = None
        self._id_of: dict[str, str] = {}

    def has(self, dataset_id: str) -> bool:
        """Whether the portal has this dataset, and not as a deleted one. Raises as Portal."""
        if self._many and dataset_id in self._all():
            return True
        dataset = self._portal.find("package_show", id=dataset_id)
        return dataset is not None and dataset.get("state", "active") == "active"

    def none(self) -> bool:
        """Whether the portal had no dataset of a catalogue yet when the run began."""
        return self._many and not self._all()

    def dataset(self, identifier: str) -> dict[str, Any] | None:
        """A catalogue's dataset as the portal listed it when the run began, None without."""
        if not self._many:
            return None
        listed = self._all()
        packed = listed.get(self._id_of.get(identifier, ""))
        return None if packed is None else dict(json.loads(zlib.decompress(packed)))

    def _all(self) -> dict[str, bytes]:
        if self._listed is None:
            self._listed = self._list()
        return self._listed

    def _list(self) -> dict[str, bytes]:
        listed: dict[str, bytes] = {}
        while True:
            found = self._portal.call(
                "package_search",
                fq=f'harvest_source:"{self._source.id}"',
                include_private=True,
                sort="id asc",
                rows=PAGE_ROWS,
                start=len(listed),
            )["results"]
            fresh = [row for row in found if row["id"] not in listed]
            for row in fresh:
                listed[row["id"]] = zlib.compress(json.dumps(row).encode(), 1)
                self._id_of[str(row.get("harvest_identifier"))] = row["id"]
            if len(found) < PAGE_ROWS or not fresh:
                return listed
