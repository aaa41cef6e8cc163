"""Solr's ``mm``: how many of a query's words must be found."""

from __future__ import annotations

import re

from .errors import ValueRefused

_WHOLE = re.compile(r"[+-]?\d{1,9}\Z", re.ASCII)


def minimum_match(rule: str, count: int) -> int:
    """How many of ``count`` optional clauses must match.

    ``rule``: ``3``, ``-1``, ``75%``, ``-25%``, or conditions ``2<-1 5<80%`` (with more than 2
    clauses all but one, with more than 5 clauses 80 %).
    """
    if "<" not in rule:
        return _simple(rule.strip(), count)
    needed = count
    # Solr allows spaces around the sign.
    for condition in re.sub(r"\s*<\s*", "<", rule).split():
        above, _, value = condition.partition("<")
        if count <= _whole(above):
            break
        needed = _simple(value, count)
    return needed


def _simple(rule: str, count: int) -> int:
    if rule.endswith("%"):
        percent = _whole(rule[:-1])
        part = count * abs(percent) // 100
        needed = count - part if percent < 0 else part
    else:
        needed = _whole(rule)
        needed = count + needed if needed < 0 else needed
    return max(0, min(count, needed))


def _whole(text: str) -> int:
    if not _WHOLE.match(text):
        raise ValueRefused(f"mm: {text!r} is no whole number")
    return int(text)
