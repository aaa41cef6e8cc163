"""What the numbers in the rows' counted columns stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

MOST_REMEMBERED = 50_000

ASKED = "SELECT id, value FROM hanoiic_search.value WHERE id = ANY(%s)"


class Values:
    """Texts by their numbers, as far as this process has asked: a number is made of its text, so
    it never stands for another one."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}

    def of(self, connection: sa.Connection, numbers: Iterable[int]) -> Mapping[int, str]:
        texts = self._texts
        unknown = [number for number in set(numbers) if number not in texts]
        if unknown:
            asked = connection.exec_driver_sql(ASKED, (unknown,)).tuples().all()
            # A new one: other threads read the old one at the same time.
            texts = {**texts, **dict(asked)}
            self._texts = texts if len(texts) <= MOST_REMEMBERED else {}
        return texts
