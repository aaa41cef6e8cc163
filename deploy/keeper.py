"""supervisord, kept up: a full disk does not end it, and when it breaks nothing of it is left.

It tells on its standard error what it can't write to a log. Where that lies on the same full disk,
the telling fails too and would end it; its children would run on with nobody to look after them.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable

from supervisor import loggers, supervisord

from deploy.processes import kill, session_members

# What a log does that may fail on a full disk, outside of supervisord's own care.
NOT_WORTH_AN_END = (
    (loggers.Handler, "handleError"),
    (loggers.Handler, "close"),
    (loggers.RotatingFileHandler, "doRollover"),
)


def main() -> None:
    for kind, name in NOT_WORTH_AN_END:
        setattr(kind, name, _tried(getattr(kind, name)))
    try:
        supervisord.main()
    except Exception:
        kill([pid for pid in session_members(os.getpid()) if pid != os.getpid()])
        raise


def _tried(method: Callable[[loggers.Handler], None]) -> Callable[[loggers.Handler], None]:
    @functools.wraps(method)
    def tried(handler: loggers.Handler) -> None:
        with contextlib.suppress(OSError):
            method(handler)

    return tried


if __name__ == "__main__":
    main()
