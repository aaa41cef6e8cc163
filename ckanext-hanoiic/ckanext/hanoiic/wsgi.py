"""CKAN as a WSGI application: ``gunicorn ckanext.hanoiic.wsgi:application``.

CKAN's wheel ships no ``wsgi.py``. The configuration file is named by ``CKAN_INI``.
"""

import os

import pylibmagic  # noqa: F401  (finds libmagic for CKAN where the system has none)
from ckan.cli import load_config
from ckan.config.middleware import make_app

application = make_app(load_config(os.environ["CKAN_INI"]))
