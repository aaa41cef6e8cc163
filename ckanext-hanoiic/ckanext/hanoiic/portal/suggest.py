"""Suggestions while a reader types: datasets, departments, topics and wards."""

from __future__ import annotations

from typing import Any

from ckan import authz, model
from ckan.lib.plugins import get_permission_labels
from ckan.lib.search import SearchError
from ckan.plugins import toolkit as tk
from ckanext.hanoiic.search import completion, synonyms, vietnamese, wards
from ckanext.hanoiic.search.facet_fields import WARDS

from .catalogue import entities, entity_title, stamp
from .wording import in_language

SHORTEST = 2  # letters or digits
LONGEST = 200  # characters
CANDIDATES = 15
MOST = {"datasets": 6, "departments": 3, "topics": 3, "wards": 4}
MOST_REMEMBERED = 500  # sets of rights
READER = ("user", "auth_user_obj", "ignore_auth")  # what of a context says who asks


@tk.side_effect_free
def hanoiic_search_suggest(context: dict[str, Any], data_dict: dict[str, Any]) -> dict[str, Any]:
    """Names that begin with what a reader has typed so far, with or without diacritics.

    :param q: what was typed; less than two letters suggest nothing
    :returns: ``datasets``, ``departments``, ``topics`` and ``wards``: lists of ``{"label", "url"}``
        with ``"hint"`` where more is to say. Datasets and wards are those this caller may see.
    """
    q = tk.get_or_bust(data_dict, "q")
    if not isinstance(q, str):
        raise tk.ValidationError({"q": [tk._("Must be a text")]})
    typed = completion.words(q[:LONGEST])
    if sum(map(len, typed)) < SHORTEST:
        return {group: [] for group in MOST}
    reader = {key: context[key] for key in READER if key in context}
    found = {
        "datasets": _datasets(reader, typed),
        "departments": _entities("organization", typed, "organization.read"),
        "topics": _entities("group", typed, "group.read"),
        "wards": _wards(reader, q[:LONGEST]),
    }
    return {group: items[: MOST[group]] for group, items in found.items()}


def _datasets(reader: dict[str, Any], typed: list[str]) -> list[dict[str, str]]:
    found = _search(reader, completion.titles_query(typed, synonyms.current()))
    if not found:
        found = _search(reader, completion.wider_query(typed))
    named = [(str(in_language(dataset, "title") or dataset["name"]), dataset) for dataset in found]
    named.sort(key=lambda pair: -completion.fit(pair[0], typed))
    return [
        {
            "label": title,
            "url": tk.url_for("dataset.read", id=dataset["name"]),
            "hint": entity_title(dataset["organization"]) if dataset.get("organization") else "",
        }
        for title, dataset in named
    ]


def _search(reader: dict[str, Any], q: str) -> list[dict[str, Any]]:
    try:
        return _package_search(
            reader,
            q=q,
            rows=CANDIDATES,
            sort="score desc, title_string asc",
            fl=["name", "title", "organization", "extras_title_en"],
            facet=False,
        )["results"]
    except SearchError:
        return []  # a beginning that stands for too many words; the next letter helps


def _package_search(reader: dict[str, Any], **query: Any) -> dict[str, Any]:
    return tk.get_action("package_search")({**reader}, {"include_private": True, **query})


def _entities(kind: str, typed: list[str], endpoint: str) -> list[dict[str, str]]:
    """Departments or topics whose name has the words side by side, tones as typed first."""
    ways = [" ".join(typed), *_other_names(typed)]
    found = []
    for name, entity in entities().items():
        if entity["type"] != kind or entity["org_kind"] == "company":
            continue
        titles = (entity["title"] or name, entity["title_en"] or "")
        if any(wards.begins(vietnamese.words(way), title) for way in ways for title in titles):
            label = entity_title(name)
            found.append((-completion.fit(label, typed), vietnamese.sort_key(label), name, label))
    return [
        {"label": label, "url": tk.url_for(endpoint, id=name)} for *_, name, label in sorted(found)
    ]


def _other_names(typed: list[str]) -> list[str]:
    query = vietnamese.words(" ".join(typed))
    names = []
    for spot in synonyms.current().spots(query):
        before = [word.folded for word in query if word.place < spot.first]
        behind = [word.folded for word in query if word.place > spot.last]
        names += [" ".join([*before, other.text, *behind]) for other in spot.alternatives]
    return names


def _wards(reader: dict[str, Any], q: str) -> list[dict[str, str]]:
    """Wards by today's or a former name; only those that a dataset of this reader is about."""
    found = wards.matching(q)
    covered = _covered(reader) if found else frozenset()
    return [
        {
            "label": ward.name,
            "hint": tk._("formerly {name}").format(name=former) if former else "",
            "url": tk.url_for("dataset.search", **{WARDS: ward.code}),
        }
        for ward, former in found
        if ward.code in covered
    ]


def _covered(reader: dict[str, Any]) -> frozenset[str]:
    """The codes of the wards that datasets of this reader are about.

    Counted once for each state of the catalogue and each set of rights: readers type faster.
    """
    # Rights as `package_search` sees them: else one reader could get what was counted for another.
    name = reader.get("user")
    sees_all = bool(reader.get("ignore_auth") or (name and authz.is_sysadmin(name)))
    user = reader.get("auth_user_obj") or model.User.get(name)
    labels = () if sees_all else get_permission_labels().get_user_dataset_labels(user)
    key = (stamp(), sees_all, tuple(sorted(labels)))
    known = _covered_by.get(key)
    if known is None:
        counts = _package_search(
            reader, q="*:*", rows=0, **{"facet.field": [WARDS], "facet.limit": -1}
        )["facets"]
        known = frozenset(counts.get(WARDS, {}))
        if len(_covered_by) >= MOST_REMEMBERED:
            _covered_by.clear()
        _covered_by[key] = known
    return known


_covered_by: dict[tuple[Any, ...], frozenset[str]] = {}
