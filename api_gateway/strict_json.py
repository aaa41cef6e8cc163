"""Values of the engine's type JSON as JSON that everyone reads.

The engine keeps them as they were written, and is lenient: NaN and infinities in any letters
(`nan`, `-INF`), a comma before a closing bracket, and line breaks, which would break a line of
NDJSON in two. Here these become `"NaN"`, `"Infinity"`, `"-Infinity"` and nothing; all other
letters, the digits of numbers too, stay as they are.
"""

from __future__ import annotations

import re

from api_gateway.engine import literal

# What may have to be rewritten; few texts have it, and looking for it takes less time.
_SUSPECT = r"[\t\r\n]|, *[\]}]|(?:^|[-\[:, ])(?:[nN][aA]|[iI][nN][fF])"
# Strings, and what stands between them.
_PARTS = r'"[^"\\]*(?:\\.[^"\\]*)*"|[^"]+'
# Between strings: patterns that Python and the engine read alike, and what takes their place.
_REWRITTEN = (
    (r"[\t\r\n]+", ""),
    (r", *([\]}])", r"\1"),
    (r"-?[nN][aA][nN]", '"NaN"'),
    (r"(-?)[iI][nN][fF](?:[iI][nN][iI][tT][yY])?", r'"\1Infinity"'),
)


def strict(text: str) -> str:
    """The strict form of a JSON text that the engine took."""
    return re.sub(_PARTS, _part, text) if re.search(_SUSPECT, text) else text


def _part(found: re.Match[str]) -> str:
    part = found[0]
    if not part.startswith('"'):
        for pattern, new in _REWRITTEN:
            part = re.sub(pattern, new, part)
    return part


def strict_sql(value: str) -> str:
    """SQL for `strict` of a value of type JSON; NULL stays NULL."""
    rewritten = "part"
    for pattern, new in _REWRITTEN:
        rewritten = f"regexp_replace({rewritten}, {literal(pattern)}, {literal(new)}, 'g')"
    parts = f"regexp_extract_all({value}::VARCHAR, {literal(_PARTS)})"
    # Only where it is suspect does the engine make parts of it.
    return (
        f"CASE WHEN regexp_matches({value}::VARCHAR, {literal(_SUSPECT)}) THEN "
        f"array_to_string(list_transform({parts}, lambda part: "
        f"CASE WHEN left(part, 1) = '\"' THEN part ELSE {rewritten} END), '') "
        f"ELSE {value}::VARCHAR END"
    )
