"""One hostile input: how it is made or served, and the error it must end in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_httpserver import HTTPServer

Content = bytes | Iterator[bytes]


@dataclass(frozen=True)
class Case:
    """`code` is the error's; several where versions of a library differ in what they see first.

    A file has `content`: its bytes, or a stream of them. Another way of answering has `served`,
    which sets up a server and gives the address to fetch, or a context of it.
    """

    name: str
    kind: str
    code: str | tuple[str, ...]
    content: Callable[[], Content] | None = None
    served: Callable[[HTTPServer], Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.code,) if isinstance(self.code, str) else self.code
