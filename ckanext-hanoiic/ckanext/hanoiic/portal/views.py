"""Pages of the portal's own."""

from __future__ import annotations

from collections.abc import Callable

import flask
from ckan.plugins import toolkit as tk

from .neighbours import gateway_url
from .recipes import recipes
from .wording import language

portal = flask.Blueprint("hanoiic_portal", __name__)

EXAMPLE_TABLE = "ten_bang"


@portal.before_app_request
def name_the_portal() -> None:
    """English pages carry the portal's English name; `ckan.site_title` is the Vietnamese one."""
    if language() == "en":
        flask.g.site_title = tk.config["hanoiic.site_title_en"]


def forget_assets() -> str:
    """Let an error page load the style sheets that the failed page had taken already."""
    flask.g.pop("_webassets", None)
    return ""


def once(name: str, render: Callable[[], str]) -> str:
    """Render a part of a page, which its layout asks for several times, once for each request."""
    rendered: dict[str, str] = flask.g.setdefault("_hanoiic_rendered", {})
    if name not in rendered:
        rendered[name] = render()
    return rendered[name]


@portal.route("/api-guide")
def api_guide() -> str:
    """How programs use the portal."""
    return tk.render(
        "hanoiic_portal/api_guide.html",
        extra_vars={
            "gateway": gateway_url(),
            "recipes": recipes(EXAMPLE_TABLE, with_token=True),
        },
    )
