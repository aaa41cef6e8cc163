"""CKAN's own command line, also where libmagic lacks: ``python -m ckanext.hanoiic -c INI …``."""

import pylibmagic  # noqa: F401  (before CKAN: finds libmagic where the system has none)
from ckan.cli.cli import ckan

ckan(prog_name="ckan")
