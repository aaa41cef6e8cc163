"""For every session but CKAN's own."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that has other work takes its time: the session's time limit judges, not milliseconds.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

SHORT_BYTES = 16


def pytest_make_parametrize_id(val: object) -> str | None:
    """A file of a test's own is no name: an archive holds the time at which it was made, and the
    processes of a session must know each test by the same name."""
    return "bytes" if isinstance(val, bytes) and len(val) > SHORT_BYTES else None
