"""Which datasets the portal has: of a catalogue asked once a run, not once a dataset."""

from __future__ import annotations

from harvesters.portal import Portal
from harvesters.source import Source

# CKAN gives no more in one answer.
PAGE_ROWS = 1_000


class Registered:
    """The active datasets of one source. `many`: it is a catalogue, so all are asked for together.

    What the portal's search does not list is asked for by itself before it counts as gone.
    """

    def __init__(self, source: Source, portal: Portal, many: bool) -> None:
        self._source = source
        self._portal = portal
        self._many = many
        self._listed: frozenset[str] | None = None

    def has(self, dataset_id: str) -> bool:
        """Whether the portal has this dataset, and not as a deleted one. Raises as Portal."""
        if self._many and dataset_id in self._all():
            return True
        dataset = self._portal.find("package_show", id=dataset_id)
        return dataset is not None and dataset.get("state", "active") == "active"

    def none(self) -> bool:
        """Whether the portal had no dataset of a catalogue yet when the run began."""
        return self._many and not self._all()

    def _all(self) -> frozenset[str]:
        if self._listed is None:
            self._listed = frozenset(self._list())
        return self._listed

    def _list(self) -> set[str]:
        listed: set[str] = set()
        while True:
            found = self._portal.call(
                "package_search",
                fq=f'harvest_source:"{self._source.id}"',
                fl="id",
                include_private=True,
                sort="id asc",
                rows=PAGE_ROWS,
                start=len(listed),
            )["results"]
            fresh = {str(row["id"]) for row in found} - listed
            listed |= fresh
            if len(found) < PAGE_ROWS or not fresh:
                return listed
