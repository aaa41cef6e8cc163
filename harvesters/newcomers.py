"""Makes new datasets in the portal, those that wait at the same time in one request.

Nothing in a catalogue's first run takes the portal longer than making datasets, and many in one
request cost it half. No dataset waits for others to come: it goes at once if a request may be made,
and those that come while requests are under way go together in the next one.

A request makes all of its datasets or none. When one fails, this says nothing about most of them,
so each is then made by itself and gets its own error.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Lock
from types import TracebackType
from typing import Any

from harvesters.errors import HarvestError, PortalFailed, PortalUnavailable
from harvesters.portal import Portal
from lake import logs

log = logging.getLogger(__name__)

# So few that a request is answered within seconds, while people use the portal.
MOST = 25
# As many as the portal has processes.
REQUESTS_AT_ONCE = 2


@dataclass(frozen=True)
class Made:
    """A dataset that was made: its `id` and `name` in the portal, its share of the request."""

    dataset: dict[str, Any]
    took_s: float


@dataclass(frozen=True)
class _Waiting:
    fields: dict[str, Any]
    made: Future[Made] = field(default_factory=Future)


class Newcomers:
    """Makes datasets. Threads share it: each waits for its own."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._waiting: list[_Waiting] = []
        self._requests = 0
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="newcomers")

    def __enter__(self) -> Newcomers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def make(self, fields: dict[str, Any]) -> Made:
        """Make a dataset of what `package_create` takes. Raises as Portal."""
        waiting = _Waiting(fields)
        with self._lock:
            self._waiting.append(waiting)
            begins = self._requests < REQUESTS_AT_ONCE
            self._requests += begins
        if begins:
            self._pool.submit(copy_context().run, self._make_all)
        return waiting.made.result()

    def _make_all(self) -> None:
        """Make what waits, until nothing does."""
        while True:
            with self._lock:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                if not batch:
                    self._requests -= 1
                    return
            try:
                if len(batch) == 1 or not self._made_together(batch):
                    self._make_each(batch)
            except Exception as error:  # whoever waits raises it
                for one in batch:
                    if not one.made.done():
                        one.made.set_exception(error)

    def _made_together(self, batch: list[_Waiting]) -> bool:
        begun = time.monotonic()
        try:
            answer = self._portal.call(
                "hanoiic_datasets_create", datasets=[one.fields for one in batch]
            )
        except HarvestError as error:
            facts = logs.facts(count=len(batch), code=error.code)
            log.info("datasets_made_one_by_one", extra=facts)
            return False
        share_s = (time.monotonic() - begun) / len(batch)
        made = answer.get("datasets") if isinstance(answer, dict) else None
        if not isinstance(made, list) or len(made) != len(batch):
            raise PortalFailed("The portal does not tell which datasets it made.")
        for one, dataset in zip(batch, made, strict=True):
            one.made.set_result(Made(dataset, share_s))
        return True

    def _make_each(self, batch: list[_Waiting]) -> None:
        """Make each by itself. When the portal is away, the others fail with it at once."""
        for one in batch:
            begun = time.monotonic()
            try:
                dataset = self._portal.call("package_create", **one.fields)
            except PortalUnavailable:
                raise
            except HarvestError as error:
                one.made.set_exception(error)
            else:
                one.made.set_result(Made(dataset, time.monotonic() - begun))
