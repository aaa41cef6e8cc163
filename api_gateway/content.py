"""Counts, digests and compresses an answer's content in its query process, so that the web process
only has to pass the bytes on."""

from __future__ import annotations

import hashlib
from typing import Any

from api_gateway.encodings import Encoder


class Content:
    """Content in parts. `encoding`: what it is sent in, or as it is; `digested`: for a receipt."""

    def __init__(self, encoding: str | None, *, digested: bool) -> None:
        self._encoder = Encoder(encoding) if encoding else None
        self._digest = hashlib.sha256() if digested else None
        self._byte_count = 0

    @property
    def is_encoded(self) -> bool:
        """Whether the bytes that are sent differ from the content, as they are compressed."""
        return self._encoder is not None

    @property
    def told(self) -> dict[str, Any]:
        """`bytes` and `sha256` (None unless digested) of the content so far, before its encoding:
        what whoever decoded it has."""
        sha256 = self._digest.hexdigest() if self._digest else None
        return {"bytes": self._byte_count, "sha256": sha256}

    def sent(self, parts: list[Any], *, last: bool = False) -> list[Any]:
        """The bytes to send for these parts of the content, as buffers."""
        for part in parts:
            self._byte_count += len(part)
            if self._digest:
                self._digest.update(part)
        return self._encoder.encoded(parts, last=last) if self._encoder else parts
