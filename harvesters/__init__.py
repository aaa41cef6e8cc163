"""Harvesters: pull department data, make it typed and valid, publish a version, register it."""
