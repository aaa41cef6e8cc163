"""A stream read ahead by a thread of its own, so that its making and its use go on side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

# Most streams are this short; they need no thread.
SHORT = 2
DEPTH = 3
_END: Any = object()

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items in the same order, up to DEPTH of them made before they are asked for.

    What making an item raises is raised where the item would have come.
    """
    iterator = iter(items)
    short = 0
    for item in islice(iterator, SHORT):
        short += 1
        yield item
    if short < SHORT:
        return
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        waiting = deque(pool.submit(next, iterator, _END) for _ in range(DEPTH))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, iterator, _END))
            yield item
