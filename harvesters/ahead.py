"""Work in threads, with results in order. It pays since Arrow, DuckDB and hashing release Python's
lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

THREADS = 2

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int = THREADS
) -> Iterator[Result]:
    """Do `work` on every item, in up to `threads` threads; results come in the items' order.

    The caller's own thread does the first item, as most streams have no second one. When `work`
    raises, nothing else is begun, and the error is raised here once what had begun is done.
    """
    iterator = iter(items)
    for item in iterator:
        yield work(item)
        break
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        try:
            for item in iterator:
                waiting.append(pool.submit(copy_context().run, work, item))
                if len(waiting) > threads + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
