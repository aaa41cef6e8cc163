"""The bars of the harvest benchmarks."""

from __future__ import annotations


def judged(
    what: str,
    value: float,
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> bool:
    """Print a figure beside its bar; whether it is met."""
    met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    bar = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
    print(f"{what}: {value:.2f} {unit} (bar: {bar}) {'met' if met else 'MISSED'}")
    return met
