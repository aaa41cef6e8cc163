"""A download on its way into the raw store: the part that has come so far, and how to resume it."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import GzipDecoderState

from harvesters import own_parts
from harvesters.errors import SourceInterrupted, SourceTooLarge, SourceTooSlow
from harvesters.fetch_limits import FetchLimits
from harvesters.http_dates import moment

CHUNK_BYTES = 1 << 18
_SURE_AFTER_S = 60
# The most bytes that may follow a packed body, such as zeros that fill a block.
_TRAILING = GzipDecoderState.SWALLOW_DATA
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Incoming:
    """One download. Use it as a context manager: what was not kept is removed afterwards."""

    def __init__(self, raw_dir: Path, limits: FetchLimits) -> None:
        raw_dir.mkdir(parents=True, exist_ok=True)
        self._raw_dir, self._limits = raw_dir, limits
        self._file = tempfile.NamedTemporaryFile(dir=raw_dir, prefix=".incoming-")  # noqa: SIM115
        self._started = time.monotonic()
        self._digest = hashlib.sha256()
        self._validator: str | None = None
        self._whole_bytes: int | None = None
        self.byte_count = 0

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def most_bytes(self) -> int:
        return self._limits.max_bytes

    @property
    def is_late(self) -> bool:
        return time.monotonic() - self._started >= self._limits.total_s

    def wanted(self) -> dict[str, str]:
        """Headers that ask for the rest of the file; empty when it might be the rest of another
        one."""
        if not self.byte_count or not self._validator:
            return {}
        # A range counts the bytes as they are sent, so nothing may be packed.
        return {
            "Range": f"bytes={self.byte_count}-",
            "If-Range": self._validator,
            "Accept-Encoding": "identity",
        }

    def goes_on(self, answer: requests.Response) -> bool:
        """Whether an answer is exactly the rest that was asked for, of the same file."""
        said = _content_range(answer)
        return (
            answer.status_code == 206
            and said is not None
            and int(said[1]) == self.byte_count
            and self._whole_bytes in (None, int(said[2]))
            and "Content-Encoding" not in answer.headers
            # Not every server obeys If-Range.
            and (not self._validator or _named(answer, self._validator) == self._validator)
        )

    def begin(self, answer: requests.Response | None = None) -> None:
        """Begin at the first byte, and note what the answer says for resuming later."""
        self._file.seek(0)
        self._file.truncate()
        self._digest, self.byte_count = hashlib.sha256(), 0
        self._validator = _validator(answer) if answer is not None else None
        self._whole_bytes = _announced(answer) if answer is not None else None

    def add(self, chunk: bytes) -> None:
        """Write the next bytes. Raises SourceTooLarge, SourceTooSlow, LakeFailed."""
        self.byte_count += len(chunk)
        if self.byte_count > self._limits.max_bytes:
            raise self._too_large()
        self._digest.update(chunk)
        try:
            self._file.write(chunk)
        except OSError as error:
            # Not as an OSError: the caller would take that for an error of the connection.
            raise own_parts.not_stored(error) from error
        if self.is_late:
            raise self._too_slow()

    def take(self, answer: requests.Response) -> None:
        """Write the body, its hash counted while it is written.

        Raises SourceTooLarge, SourceTooSlow, SourceInterrupted.
        """
        if (_announced(answer) or 0) + self.byte_count > self._limits.max_bytes:
            raise self._too_large()
        window, window_bytes = time.monotonic(), 0
        while chunk := self._next(answer):
            self.add(chunk)
            window_bytes += len(chunk)
            if (lasted := time.monotonic() - window) >= self._limits.slow_s:
                if window_bytes < self._limits.least_bytes_s * lasted:
                    raise SourceTooSlow(
                        f"The source sent under {self._limits.least_bytes_s} bytes a second."
                    )
                window, window_bytes = time.monotonic(), 0
        if self.is_late:
            raise self._too_slow()
        said = _content_range(answer)
        if not _is_unpacked(answer) or (said and int(said[2]) != self.byte_count):
            raise SourceInterrupted("The answer ended before its announced length.")

    def _next(self, answer: requests.Response) -> bytes:
        """Read the socket once, so that the clock is checked even when little comes."""
        try:
            return bytes(answer.raw.read1(CHUNK_BYTES, decode_content=True))
        except ReadTimeoutError as error:
            raise SourceInterrupted("The source stopped sending.", silent=True) from error
        except (HTTPError, OSError, ValueError) as error:
            if self.is_late:
                raise self._too_slow() from error
            raise SourceInterrupted("The answer ended before its announced length.") from error

    def keep(self) -> str:
        """Move the whole file to its place in the raw store; returns its SHA-256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        sha256 = self._digest.hexdigest()
        kept = raw_path(self._raw_dir, sha256)
        try:
            # Make the file young: upkeep removes only old ones.
            os.utime(kept)
        except FileNotFoundError:
            kept.parent.mkdir(exist_ok=True)
            linked = kept.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
            os.link(self._file.name, linked)
            linked.replace(kept)
        return sha256

    def _too_slow(self) -> SourceTooSlow:
        return SourceTooSlow(f"The download took longer than {self._limits.total_s:.0f} s.")

    def _too_large(self) -> SourceTooLarge:
        return SourceTooLarge(
            f"The file is larger than {self._limits.max_bytes >> 20} MiB.",
            max_bytes=self._limits.max_bytes,
        )


def raw_path(raw_dir: Path, sha256: str) -> Path:
    return raw_dir / sha256[:2] / sha256


def _validator(answer: requests.Response) -> str | None:
    """What proves that a rest is of the same file: a strong ETag, or the time of its last
    change."""
    if "Content-Encoding" in answer.headers:
        return None
    if answer.headers.get("Accept-Ranges", "").strip().lower() == "none":
        return None
    etag = answer.headers.get("ETag", "")
    if etag.startswith('"'):
        return etag
    # A weak ETag does not promise the same bytes, and nor does a change of a moment ago (RFC 9110,
    # 8.8.2).
    changed, sent = (moment(answer.headers.get(name, "")) for name in ("Last-Modified", "Date"))
    if etag or changed is None or sent is None or sent - changed < _SURE_AFTER_S:
        return None
    return answer.headers["Last-Modified"]


def _content_range(answer: requests.Response) -> re.Match[str] | None:
    return _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())


def _announced(answer: requests.Response) -> int | None:
    said = answer.headers.get("Content-Length", "")
    packed = "Content-Encoding" in answer.headers
    return int(said) if said.isdecimal() and not packed else None


def _named(answer: requests.Response, validator: str) -> str:
    """The validator that an answer names in its place; itself where it names none."""
    return answer.headers.get("ETag" if validator.startswith('"') else "Last-Modified", validator)


def _is_unpacked(answer: requests.Response) -> bool:
    """Whether a packed body came to its end. urllib3 unpacks as much as there is and says
    nothing."""
    decoder = answer.raw._decoder
    return all(
        part is None or _ended(part._obj) or getattr(part, "_state", None) == _TRAILING
        for part in getattr(decoder, "_decoders", [decoder])
    )


def _ended(unpacking: Any) -> bool:
    # Brotli, which urllib3 takes where it is installed, has a word of its own for it.
    return bool(unpacking.eof if hasattr(unpacking, "eof") else unpacking.is_finished())
