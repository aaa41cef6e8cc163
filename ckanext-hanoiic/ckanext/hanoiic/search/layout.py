"""The index's tables: what is read for every matching row, and what for a few.

A row of ``entry`` is small, because a common word's rows are read by the thousand: what the first
ranking, sorting and counting need lies in it, everything else (all lexemes, all values) lies
outside of it (TOAST) and is read for the rows of a page. What CKAN wants back is in ``body``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

# Raise it with every change of the tables or of what is put into them.
LAYOUT = 7

LINES_OF_WRITES = 16  # so many may note a write at the same time
# The fields that decide most of a rank (CKAN's `qf`) and those of the suggestions while a reader
# types; their lexemes lie in the row too.
HEADLINE = ("name", "title", "tags", "groups", "extras_title_en")
# What CKAN filters every search by: whole values, in the row too, however many they are.
FILTERED = ("site_id", "state", "capacity", "dataset_type", "permission_labels")
# The fields that lists are sorted by; any other is sorted by too, more slowly.
SORTED = (
    "metadata_modified",
    "metadata_created",
    "name",
    "title_string",
    "views_recent",
    "views_total",
)
# The fields that are counted as facets. Any other field is counted too, more slowly; a new line
# here needs a new LAYOUT.
COUNTED = (
    "access_tier",
    "dataset_type",
    "groups",
    "hanoiic_due_date",
    "is_simulated",
    "license_id",
    "organization",
    "owner_org",
    "quality_band",
    "res_format",
    "tags",
    "update_frequency",
    "vocab_wards",
    "vocab_years",
)


def counted_column(field: str) -> str:
    """The column of ``entry`` with the values of a field of ``COUNTED``, as ``packed`` writes."""
    return f"counted_{field}"


def value_id(value: str) -> int:
    """A value as a number of 64 bits: equal numbers are counted faster than equal texts."""
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), signed=True)


def packed(values: Iterable[str]) -> bytes:
    """The numbers of values, eight bytes each (big-endian), end to end."""
    return b"".join(value_id(value).to_bytes(8, signed=True) for value in values)


_COUNTED_COLUMNS = "".join(f" {counted_column(field)} bytea," for field in COUNTED)
TABLES = (
    "CREATE TABLE hanoiic_search.entry ("
    " number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    f"{_COUNTED_COLUMNS}"
    " index_id text NOT NULL UNIQUE,"
    " sorts jsonb NOT NULL,"
    " infix text NOT NULL,"
    " headline tsvector NOT NULL,"
    " exact jsonb NOT NULL,"
    " lexemes tsvector NOT NULL)",
    # In the row, unless it would not fit on a page.
    *(
        f"ALTER TABLE hanoiic_search.entry ALTER {column} SET STORAGE MAIN"
        for column in (
            "sorts",
            "infix",
            "headline",
            *map(counted_column, COUNTED),
        )
    ),
    # Unpacking costs more than reading a few more pages.
    "ALTER TABLE hanoiic_search.entry ALTER exact SET STORAGE EXTERNAL",
    "ALTER TABLE hanoiic_search.entry ALTER lexemes SET STORAGE EXTERNAL",
    # Each query would read the whole list of pending entries.
    "CREATE INDEX entry_lexemes ON hanoiic_search.entry USING gin (lexemes)"
    " WITH (fastupdate = off)",
    "CREATE TABLE hanoiic_search.body ("
    " number bigint PRIMARY KEY REFERENCES hanoiic_search.entry ON DELETE CASCADE,"
    " stored jsonb NOT NULL,"
    " data_dict text,"
    " validated_data_dict text)",
    "CREATE TABLE hanoiic_search.vocabulary ("
    ' field text COLLATE "C", word text COLLATE "C", PRIMARY KEY (field, word))',
    # The catalogue's first page is read in this order.
    "CREATE INDEX entry_modified ON hanoiic_search.entry"
    " (((sorts ->> 'metadata_modified') COLLATE \"C\") DESC NULLS LAST, number)",
    # How many transactions have written, in all lines together; never the number of a former index.
    "CREATE TABLE hanoiic_search.writes (line integer PRIMARY KEY, done bigint NOT NULL)",
    "INSERT INTO hanoiic_search.writes SELECT line, extract(epoch FROM clock_timestamp())::bigint"  # noqa: S608
    f" * 1000 FROM generate_series(0, {LINES_OF_WRITES - 1}) line",
    # What the numbers of the counted columns stand for.
    'CREATE TABLE hanoiic_search.value (id bigint PRIMARY KEY, value text COLLATE "C" NOT NULL)',
)
DROPPED = ("layout", "writes", "value", "vocabulary", "body", "entry")
# Faster patterns where the trigram extension is to be had; all works without.
TRIGRAM_INDEXES = (
    "CREATE INDEX entry_infix ON hanoiic_search.entry USING gin (infix {operators})"
    " WITH (fastupdate = off)",
    "CREATE INDEX vocabulary_word ON hanoiic_search.vocabulary USING gin (word {operators})",
)
