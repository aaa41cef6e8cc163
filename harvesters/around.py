"""What stands above and below a table: its title, unit of measure, period and source.

It is no row, and readers need it: it is the description of the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harvesters.rawtable import RawTable

MOST_LINES = 10
LONGEST_LINE = 300  # letters
# Phone numbers, accounts and numbers of persons have as many; a date is cut by its slashes.
MOST_DIGITS = 8
_NUMBER = re.compile(r"\d(?:[ .-]?\d)+")
# Who made, signed or answers for a sheet; below a table such a line has the name on the next ones.
_PERSON = re.compile(
    r"người (?:lập|ký|báo cáo|liên hệ|kiểm)|họ (?:và )?tên|kế toán|thủ trưởng|giám đốc|chủ tịch"
    r"|điện thoại",
    re.I,
)
_NOTE = re.compile(r"\(?\*|(?:ghi chú|chú thích|nguồn|lưu ý|notes?|source)\b", re.I)


def lines(rows: Iterable[Sequence[str]]) -> list[str]:
    """The texts of the rows around a table, a line each; cells side by side are told apart."""
    told = (" · ".join(" ".join(cell.split()) for cell in row if cell.strip()) for row in rows)
    return [line[:LONGEST_LINE] for line in told if line][:MOST_LINES]


def description(table: RawTable) -> str:
    """The lines as a description in Markdown, without those that may tell of a person; of those
    below only what says that it is a note or a source, for signatures stand there too."""
    told = [*table.above, *(line for line in table.below if _NOTE.match(line))]
    return "\n\n".join(line for line in told if not _may_be_personal(line))


def _may_be_personal(line: str) -> bool:
    longest = max((sum(map(str.isdigit, run)) for run in _NUMBER.findall(line)), default=0)
    return "@" in line or longest > MOST_DIGITS or bool(_PERSON.search(line))
