"""For every session but CKAN's own."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that has other work takes its time: the session's time limit judges, not milliseconds.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
