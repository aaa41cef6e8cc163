"""Links between the pages of a list, each with a name for those who hear it."""

from __future__ import annotations

from typing import Any

from ckan.plugins import toolkit as tk
from dominate import tags


def pager(page: Any, **query: Any) -> Any:
    """CKAN's pager of ``page``, whose arrows say where they lead."""
    signs = {
        "symbol_previous": _arrow("left", tk._("Previous page")),
        "symbol_next": _arrow("right", tk._("Next page")),
    }
    return page.pager(**signs, **query)


def _arrow(side: str, name: str) -> tags.i:
    return tags.i(cls=f"fa-solid fa-chevron-{side}", role="img", **{"aria-label": name})
