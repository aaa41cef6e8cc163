"""The workbenches of a run: opened when they are needed, kept from file to file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from harvesters.workbench import Workbench


class Workbenches:
    """The workbenches of one run: to open one takes longer than to clear it for the next file.

    Threads may share it; each has the workbench that it asked for to itself.
    """

    def __init__(self) -> None:
        self._free: list[Workbench] = []

    def __enter__(self) -> Workbenches:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for bench in self._free:
            bench.close()

    @contextmanager
    def one(self) -> Iterator[Workbench]:
        """A workbench with nothing on it. After an error it is not used again."""
        try:
            bench = self._free.pop()
        except IndexError:
            bench = Workbench()
        try:
            yield bench
            bench.clear()
        except BaseException:
            bench.close()
            raise
        self._free.append(bench)
