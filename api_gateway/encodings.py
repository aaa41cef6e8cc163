"""Compression of an answer on its way, as `Accept-Encoding` asks: zstd before gzip."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import zstandard
from isal import isal_zlib
from werkzeug.datastructures import Accept

_LOW = 1
_GZIP = 16 + zlib.MAX_WBITS
# So much is let out at once: a reader of a long answer sees it grow.
_FLUSHED_BYTES = 32 * 1024


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
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


def compressed(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """`chunks` in the encoding `name`."""
    make, mode = _KNOWN[name]
    compressor, held = make(), 0
    for chunk in chunks:
        if out := compressor.compress(chunk):
            yield out
        held += len(chunk)
        if held >= _FLUSHED_BYTES:
            held = 0
            if out := compressor.flush(mode):
                yield out
    yield compressor.flush()
