"""Compression of an answer, as `Accept-Encoding` asks: zstd before gzip."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import zstandard
from isal import isal_zlib

if TYPE_CHECKING:
    from werkzeug.datastructures import Accept

_LOW = 1
_GZIP = 16 + zlib.MAX_WBITS


class _Compressor(Protocol):
    def compress(self, data: Any, /) -> bytes: ...
    def flush(self, mode: int = ..., /) -> bytes: ...


# Name → a new compressor, and the mode that lets out what it holds.
_KNOWN: dict[str, tuple[Callable[[], _Compressor], int]] = {
    "zstd": (
        lambda: zstandard.ZstdCompressor(level=_LOW).compressobj(),
        zstandard.COMPRESSOBJ_FLUSH_BLOCK,
    ),
    "gzip": (
        lambda: isal_zlib.compressobj(_LOW, isal_zlib.DEFLATED, _GZIP),
        isal_zlib.Z_SYNC_FLUSH,
    ),
}


def choose(accept: Accept) -> str | None:
    """The encoding the caller likes best of those served; None: as it is."""
    liked = {name: accept[name] for name in _KNOWN if accept[name] > 0}
    best = max(liked, key=liked.__getitem__, default=None)
    return best if best and liked[best] >= accept["identity"] else None


class Encoder:
    """Content on its way into the encoding `name`."""

    def __init__(self, name: str) -> None:
        make, self._mode = _KNOWN[name]
        self._compressor = make()

    def encoded(self, parts: list[Any], *, last: bool) -> list[bytes]:
        """So much more content, of which nothing is held back; with the `last` comes the end."""
        made = [self._compressor.compress(part) for part in parts]
        made.append(self._compressor.flush() if last else self._compressor.flush(self._mode))
        return [out for out in made if out]
