"""For the pages and the API: where a dataset answers a query, and help when nothing does."""

from __future__ import annotations

from typing import Any

from ckan.common import config
from ckan.lib.search import SearchError
from ckan.plugins import toolkit as tk

from . import advice, highlight, synonyms
from .errors import SearchFailed
from .questions import ALL_WORDS
from .seam import SCHEMES
from .store import store_for
from .vocabulary import StoredVocabulary

NO_HELP: dict[str, Any] = {"count": 0, "did_you_mean": [], "fewer_words": []}
SPELLING_TIMEOUT_S = 5
READER = ("user", "auth_user_obj", "ignore_auth")  # what of a context says who asks


@tk.side_effect_free
def hanoiic_search_help(context: dict[str, Any], data_dict: dict[str, Any]) -> dict[str, Any]:
    """Queries that find something, for one that finds nothing.

    :param q: what the reader typed
    :param fewer_words: false where datasets with some of the words are shown already
    :returns: ``count`` (what it finds without filters; then no other query is offered),
        ``did_you_mean`` (other spellings) and ``fewer_words``: lists of ``{"q", "count"}``, counted
        over what this caller may see
    """
    q = tk.get_or_bust(data_dict, "q")
    if not isinstance(q, str):
        raise tk.ValidationError({"q": [tk._("Must be a text")]})
    if not config["solr_url"].startswith(SCHEMES):
        return dict(NO_HELP)

    def count(text: str) -> int:
        seen = {key: context[key] for key in READER if key in context}
        try:
            return int(_search(seen, q=text)["count"])
        except SearchError:
            return 0

    if found := count(q):
        return {**NO_HELP, "count": found}
    url = config["solr_url"].replace("postgres://", "postgresql://", 1)
    try:
        with store_for(url, SPELLING_TIMEOUT_S).transaction() as connection:
            fewer = tk.asbool(data_dict.get("fewer_words", True))
            return {**NO_HELP, **advice.advice(q, StoredVocabulary(connection), count, fewer)}
    except SearchFailed as error:
        raise SearchError(str(error)) from error


def _search(context: dict[str, Any], q: str) -> dict[str, Any]:
    """How many have all the words: an advice that finds some of them is none."""
    question = {"q": q, "rows": 0, "mm": ALL_WORDS, "facet": "false"}
    return tk.get_action("package_search")(context, question)


def help_for(q: str | None, fewer_words: bool = True) -> dict[str, Any]:
    """The same for a template; no help where the index can't answer."""
    if not q:
        return dict(NO_HELP)
    try:
        return tk.get_action("hanoiic_search_help")({}, {"q": q, "fewer_words": fewer_words})
    except SearchError:
        return dict(NO_HELP)


def hits(dataset: dict[str, Any], q: str | None, title: str, notes: str) -> dict[str, Any]:
    """``title``, ``notes`` (None where nothing was found) and ``columns`` with ``<mark>``.

    ``title`` and ``notes`` are plain texts, in the language that the page shows.
    """
    wanted = highlight.Wanted.of((q or "")[: advice.LONGEST_QUERY], synonyms.current())
    if not wanted.asked:
        return {"title": None, "notes": None, "columns": []}
    return {
        "title": highlight.marked(title, wanted),
        "notes": highlight.extract(notes, wanted),
        "columns": highlight.columns(dataset, wanted),
    }
