"""Renders Jinja's templates with fewer look-ups: the same pages in less time.

A page has a hundred messages. For each of them Jinja calls three nested functions, and flask-babel
asks eight times which request this is; here one function asks once. And for each of a page's forty
snippets Jinja goes through the names that all templates know, one by one; here they are a set.
"""

from __future__ import annotations

from collections import ChainMap
from typing import Any

import flask
from flask_babel import get_translations
from jinja2.runtime import Context
from jinja2.utils import pass_context
from markupsafe import Markup


def install(app: Any) -> Any:
    """Let the templates of the Flask application use this module."""
    environment = app.jinja_env
    environment.globals.update(_=gettext, gettext=gettext)
    environment.make_globals = lambda names: _Globals(names or {}, environment.globals)
    return app


class _Globals(ChainMap[str, Any]):
    """What a template knows, and all templates; the names as a plain set."""

    def keys(self) -> Any:
        return set().union(*self.maps)


@pass_context
def gettext(context: Context, message: str, /, **values: Any) -> str:
    """The message in the reader's language, with its values put in, as Jinja's own does."""
    told = _translations().ugettext(message)
    return (Markup(told) if context.eval_ctx.autoescape else told) % values  # noqa: S704


def _translations() -> Any:
    """Those of the language that flask-babel speaks now; it may change within a request."""
    babel = flask.g.get("_flask_babel")
    locale = getattr(babel, "babel_locale", None)
    if locale is None:
        return get_translations()
    if getattr(babel, "hanoiic_locale", None) is not locale:
        babel.hanoiic_locale, babel.hanoiic_translations = locale, get_translations()
    return babel.hanoiic_translations
