"""The reader's language: Vietnamese unless the page is in English."""

from __future__ import annotations

from ckan.plugins import toolkit as tk
from flask import has_request_context


def current() -> str:
    """``vi`` or ``en``; outside of a request the portal speaks Vietnamese."""
    return "en" if has_request_context() and tk.h.lang() == "en" else "vi"
