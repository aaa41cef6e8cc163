"""Work in threads whose results come in order: what Arrow, DuckDB and hashing do keeps no lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 2

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work` on every item, a few at once; results in the items' order.

    The first item is done by the caller's own thread: most streams have no second one.
    """
    iterator = iter(items)
    for item in iterator:
        yield work(item)
        break
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="ahead") as pool:
        try:
            for item in iterator:
                waiting.append(pool.submit(work, item))
                if len(waiting) > THREADS + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
