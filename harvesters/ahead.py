"""Work in threads whose results come in order: what Arrow, DuckDB and hashing do keeps no lock."""

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
    """`work` on every item, `threads` at once; results in the items' order.

    The first item is done by the caller's own thread: most streams have no second one. What work
    raises is raised here, once what had begun is through; nothing else is begun then.
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
