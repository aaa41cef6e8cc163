"""CKAN as a WSGI application: ``gunicorn ckanext.hanoiic.wsgi:application``.

CKAN's wheel ships no ``wsgi.py``. The configuration file is named by ``CKAN_INI``.
"""

import functools
import gc
import os

import pylibmagic  # noqa: F401  (finds libmagic for CKAN where the system has none)
from ckan.cli import load_config
from ckan.config.middleware import make_app
from ckan.lib import webassets_tools

application = make_app(load_config(os.environ["CKAN_INI"]))
# `prepare` has built them; each page would look at the time of every source of every asset, and
# put every address together.
webassets_tools.env.auto_build = False
for bundle in webassets_tools.env:
    bundle.urls = functools.cache(bundle.urls)
# What is loaded now stays: no worker needs to look through it for garbage, nor to copy it for that.
gc.collect()
gc.freeze()
