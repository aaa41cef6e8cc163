"""Hostile inputs, built by code. See tests/data/hostile/README.md."""
