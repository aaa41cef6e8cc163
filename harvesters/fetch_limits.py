"""Caps of one download."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FetchLimits:
    """Sizes are counted unpacked. A download that broke off goes on `resumes` times at most; one
    that brings less than `least_bytes_s` over `slow_s` is given up, and any after `total_s`.

    Of a host, `at_once` answers are read at the same time in a process, and between two questions
    lie `pause_s` (none for hosts that the operator allowed). A source's Retry-After is waited for
    up to `retry_after_s`; when it is longer, the host is not asked before.
    """

    max_bytes: int = 2 << 30
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    total_s: float = 1_800.0
    slow_s: float = 60.0
    least_bytes_s: int = 512
    redirects: int = 5
    retries: int = 3
    resumes: int = 4
    backoff_s: float = 0.5
    retry_after_s: int = 30
    at_once: int = 2
    pause_s: float = 0.1
