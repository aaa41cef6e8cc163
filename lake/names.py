"""Names of tables (ASCII), of columns (Vietnamese, as the source has them) and their aliases."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from lake.errors import InvalidName

LONGEST = 63
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
# Letters and signs that Unicode's decomposition does not turn into ASCII.
_LETTERS = str.maketrans({"đ": "d", "Đ": "d", "µ": "u", "μ": "u", "%": " pct ", "‰": " permille "})


def check(name: str) -> str:
    """`name` when it is a table's name, `[a-z][a-z0-9_]{0,62}`; else InvalidName."""
    if not _TABLE.fullmatch(name):
        raise InvalidName(f"not a table name ([a-z][a-z0-9_]{{0,62}}): {name[:80]!r}", name=name)
    return name


def check_key(key: str) -> str:
    """`key` when it may be a file's name (a run's or an edition's id); else InvalidName."""
    if not _KEY.fullmatch(key):
        raise InvalidName(f"not an id ([A-Za-z0-9_-]): {key[:80]!r}", name=key)
    return key


def from_vietnamese(text: str, *, default: str = "x") -> str:
    """A name `check` accepts, made of `text`: no diacritics (đ → d), words joined by `_`.

    >>> from_vietnamese("Trạm quan trắc"), from_vietnamese("PM2.5 (µg/m³)")
    ('tram_quan_trac', 'pm2_5_ug_m3')
    """
    # NFKD also turns ³ into 3, and ½ into 1⁄2.
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).casefold()
    ascii_words = re.findall(r"[a-z0-9]+", re.sub(r"[\u0300-\u036f]", "", plain))
    slug = "_".join(ascii_words) or default
    if not slug[0].isalpha():
        slug = f"{default}_{slug}"
    return _shorten(slug)


def table_name(*parts: str) -> str:
    """The table name of `<department>_<dataset>[_<part>]`."""
    return _shorten("_".join(from_vietnamese(part) for part in parts))


def column_names(raw: Iterable[str]) -> list[str]:
    """Column names as the lake keeps them: NFC, trimmed, white space single, unique without case.

    An empty name becomes `column_<position>`; a repeated one gets `_2`, `_3` ….
    """
    names: list[str] = []
    for position, text in enumerate(raw, start=1):
        name = " ".join(unicodedata.normalize("NFC", text).replace("\x00", "").split())
        names.append(name or f"column_{position}")
    return _unique(names)


def aliases(names: Iterable[str]) -> list[str]:
    """One ASCII alias a column name, unique in the table."""
    return _unique([from_vietnamese(name, default="column") for name in names], longest=LONGEST)


def _unique(names: list[str], longest: int | None = None) -> list[str]:
    # A name that is already unique keeps itself, whatever suffixes its neighbours need.
    wanted = {name.casefold() for name in names}
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 2
        while candidate.casefold() in taken or (
            candidate != name and candidate.casefold() in wanted
        ):
            suffix = f"_{number}"
            candidate = name[: longest - len(suffix) if longest else None] + suffix
            number += 1
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique


def _shorten(slug: str) -> str:
    if len(slug) <= LONGEST:
        return slug
    # The digest keeps two long names apart that share their beginning.
    digest = hashlib.sha256(slug.encode()).hexdigest()[:8]
    return f"{slug[: LONGEST - 9].rstrip('_')}_{digest}"
