"""The form of a source: from what was typed to what ``hanoiic_source_create`` takes, and back.

A field's name in the page is its name in the errors: ``url``, ``dataset.title``. Only the schedule
has two fields, a preset and a cron expression.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from werkzeug.datastructures import MultiDict

from .kinds import guess_kind
from .schedule import FREQUENCY_OF_PRESET, PRESETS, preset_of
from .slugs import slug

OWN_TEXTS = (
    "revision",
    "title",
    "name",
    "owner_org",
    "url",
    "kind",
    "secret",
    "options",
    "schedule",
)
DATASET_TEXTS = (
    "table",
    "title",
    "title_en",
    "notes",
    "notes_en",
    "license_id",
    "access_tier",
    "update_frequency",
    "contact_name",
    "contact_email",
)
CUSTOM = "custom"

Form = dict[str, Any]


def empty(organisation: str) -> Form:
    """The form of a new source."""
    return {
        "owner_org": organisation,
        "schedule_preset": "daily",
        "dataset.access_tier": "open",
        "dataset.groups": [],
        "harvest_now": True,
    }


def of_preview(preview: dict[str, Any], file: str | None) -> Form:
    """The form of a new source whose data was looked at. ``file``: name of an uploaded file."""
    options = preview["options"]
    result = preview["result"] or {}
    return {
        **empty(preview["owner_org"]),
        "url": preview["url"],
        "kind": result.get("kind") or preview["kind"],
        "title": name_of_file(file or preview["url"]),
        **_split(options),
        "schedule_preset": "none" if file else "daily",
    }


def name_of_file(url: str) -> str:
    """Words for a title from the last part of an address.

    >>> name_of_file("https://example.vn/du-lieu/diem_dung-2026.csv?v=2")
    'diem dung 2026'
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    last = unquote(path.rstrip("/").rsplit("/", 1)[-1])
    stem = last.rsplit(".", 1)[0] if "." in last else last
    return " ".join(re.split(r"[-_+\s]+", stem)).strip()[:200]


def typed(fields: MultiDict[str, str]) -> Form:
    """What was typed, for reading and for showing again."""
    texts = [*OWN_TEXTS, "schedule_preset", *(f"dataset.{key}" for key in DATASET_TEXTS)]
    switches = ("dataset.is_simulated", "harvest_now", "paused")
    return {
        **{key: fields.get(key, "").strip() for key in texts},
        **{key: key in fields for key in switches},
        "dataset.groups": fields.getlist("dataset.groups"),
    }


def of_source(source: dict[str, Any]) -> Form:
    """The form that shows a source as it is."""
    dataset, options = source["dataset"], source["options"]
    return {
        **{key: source[key] for key in ("title", "name", "owner_org", "url", "kind", "schedule")},
        **_split(options),
        "schedule_preset": preset_of(source["schedule"]),
        "paused": source["state"] == "paused",
        "harvest_now": True,
        "revision": source["revision"],
        **{f"dataset.{key}": dataset.get(key, "") for key in DATASET_TEXTS},
        "dataset.groups": [group["name"] for group in dataset.get("groups", [])],
        "dataset.is_simulated": dataset.get("is_simulated") == "true",
    }


def source_data(form: Form, kept_dataset: dict[str, Any] | None = None) -> dict[str, Any]:
    """What to say to the action. ``kept_dataset``: what a source has beyond the form's fields."""
    preset = form["schedule_preset"]
    dataset = dict(kept_dataset or {})
    for key in DATASET_TEXTS:
        # An empty field takes a value away.
        dataset.pop(key, None)
        if form[f"dataset.{key}"]:
            dataset[key] = form[f"dataset.{key}"]
    dataset.setdefault("update_frequency", FREQUENCY_OF_PRESET.get(preset, "UNKNOWN"))
    dataset["groups"] = [{"name": name} for name in form["dataset.groups"]]
    dataset["is_simulated"] = "true" if form["dataset.is_simulated"] else "false"
    return {
        "revision": form.get("revision", ""),
        "title": form["title"],
        "name": form["name"] or slug(form["title"]),
        "owner_org": form["owner_org"],
        "url": form["url"],
        "kind": form["kind"] or guess_kind(form["url"]),
        "schedule": form["schedule"] if preset == CUSTOM else PRESETS.get(preset, ""),
        "state": "paused" if form["paused"] else "active",
        "options": _joined(form["options"], form.get("secret", "")),
        "dataset": dataset,
    }


def _split(options: dict[str, Any]) -> Form:
    """The options' secret in a field of its own, the others as JSON."""
    others = {key: value for key, value in options.items() if key != "secret"}
    return {
        "secret": options.get("secret", ""),
        "options": json.dumps(others, ensure_ascii=False, indent=2) if others else "",
    }


def _joined(options: str, secret: str) -> str:
    """The options as JSON with the chosen secret; what is no JSON object is left to the action."""
    try:
        others = json.loads(options or "{}")
    except ValueError:
        return options
    if not secret or not isinstance(others, dict):
        return options
    return json.dumps({**others, "secret": secret}, ensure_ascii=False)


def field_errors(errors: dict[str, Any]) -> dict[str, list[str]]:
    """The action's complaints by the form's fields; an option without one stands by ``options``."""
    shown: dict[str, list[str]] = {}
    for key, complaints in errors.items():
        part, _dot, option = key.partition(".")
        texts = [complaints] if isinstance(complaints, str) else list(complaints)
        field = key
        if part == "options":
            field = "secret" if option == "secret" else "options"
        if field == "options" and option:
            texts = [f"{option}: {text}" for text in texts]
        shown.setdefault(field, []).extend(texts)
    return shown
