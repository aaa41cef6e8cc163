"""Slugs of Vietnamese titles."""

from __future__ import annotations

import re
import unicodedata

# Letters that Unicode's decomposition leaves alone.
_LETTERS = str.maketrans({"đ": "d", "Đ": "d"})


def slug(text: str, longest: int = 60) -> str:
    """Lower-case ASCII words joined by ``-``.

    >>> slug("Điểm dừng xe buýt (2026)")
    'diem-dung-xe-buyt-2026'
    """
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).casefold()
    words = re.findall(r"[a-z0-9]+", re.sub(r"[\u0300-\u036f]", "", plain))
    return "-".join(words)[:longest].strip("-")
