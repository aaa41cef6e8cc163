"""Template helpers and the tables that the templates show."""

from __future__ import annotations

from typing import Any

import flask
from ckan import model
from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from . import problems, quality, reading, sentences, wording
from .auth import is_officer, officer_organisations
from .dataset_quality import dataset_quality
from .hold_actions import waiting_holds
from .kinds import KINDS
from .source_fields import ACCESS_TIERS, FREQUENCIES
from .states import DATASET_URGENCY, OPEN, STAGES

WENT_WRONG = ("refused", "failed")
# Endpoint → the officers' page that it belongs to.
PLACES = {
    "hanoiic_console.index": "sources",
    "hanoiic_console.source": "sources",
    "hanoiic_console.edit_source": "sources",
    "hanoiic_console.run": "sources",
    "hanoiic_console.new_source": "new",
    "hanoiic_console.create_source": "new",
    "hanoiic_console.add_source": "new",
    "hanoiic_console.look_at_source": "new",
    "hanoiic_console.preview": "new",
    "hanoiic_console.look_again": "new",
    "hanoiic_console.new_file": "sources",
    "hanoiic_console.secrets": "secrets",
    "hanoiic_console.keep_secret": "secrets",
    "hanoiic_console.held_list": "held",
    "hanoiic_console.held": "held",
    "hanoiic_console.decide": "held",
    "hanoiic_console.quality_list": "quality",
    "hanoiic_licensing.inbox": "inbox",
}


def hanoiic_is_officer() -> bool:
    """Whether the reader manages sources of some department."""
    user = tk.current_user
    return user.is_authenticated and is_officer(user.name)


def hanoiic_officer_place() -> str | None:
    """Which of the officers' pages is open: a value of ``PLACES``."""
    return PLACES.get(flask.request.endpoint or "")


def stages(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Every stage of the pipeline in order, those not reached as ``pending``."""
    reported = {stage["stage"]: stage for stage in run["stages"]}
    # Of an ended run the stages that were not reached never will be.
    blank = "pending" if run["state"] in OPEN else "skipped"
    shown = [{"state": blank, **reported.get(name, {}), "stage": name} for name in STAGES]
    return [stage | {"state": blank} if stage["state"] == "pending" else stage for stage in shown]


def dataset_count(run: dict[str, Any]) -> int:
    """How many datasets of a catalogue a run has counted; its report may tell of fewer."""
    counts = [stage.get("counts") or {} for stage in run["stages"]]
    states = [f"datasets_{state}" for state in DATASET_URGENCY]
    counted = sum(
        one[state] for one in counts for state in states if isinstance(one.get(state), int)
    )
    return max(counted, len(run["datasets"]))


def dataset_titles(run: dict[str, Any]) -> dict[str, str]:
    """What the datasets of a run's tables are called; a report knows them by name or by id."""
    said = [table["dataset"] for table in run["tables"] if table.get("dataset")]
    kept = model.Package
    known = model.Session.query(kept.id, kept.name, kept.title).filter(
        kept.name.in_(said) | kept.id.in_(said)
    )
    titles = {ref: title or name for id, name, title in known for ref in (id, name)}
    return {ref: titles.get(ref, ref) for ref in said}


def urgent_first(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sources whose last run went wrong, then the others; both by title."""

    def key(source: dict[str, Any]) -> tuple[bool, str]:
        went_wrong = bool(source["last_run"]) and source["last_run"]["state"] in WENT_WRONG
        return not went_wrong, wording.alphabetical(source["title"])

    return sorted(sources, key=key)


def choices() -> dict[str, Any]:
    """What the form offers: the officer's departments, topics, licences and the tables of words."""
    user = tk.current_user.name
    groups = model.Group.all(group_type="group", state=("active",))
    departments = officer_organisations(user)
    return {
        "departments": sorted(departments, key=lambda one: wording.alphabetical(one["title"])),
        "topics": sorted(groups, key=lambda group: wording.alphabetical(group.title)),
        "licenses": tk.h.license_options(),
        "kinds": KINDS,
        "tiers": ACCESS_TIERS,
        "frequencies": FREQUENCIES,
        "presets": wording.PRESETS,
    }


def words() -> dict[str, Any]:
    """The tables and functions of ``wording``, for templates; texts are translated there."""
    return {
        "run_states": wording.RUN_STATES,
        "run_explained": wording.RUN_EXPLAINED,
        "triggers": wording.TRIGGERS,
        "stage_names": wording.STAGES,
        "stage_states": wording.STAGE_STATES,
        "kind": wording.kind_title,
        "tiers": ACCESS_TIERS,
        "hold_kinds": wording.HOLD_KINDS,
        "hold_states": wording.HOLD_STATES,
        "personal_kinds": wording.PERSONAL_KINDS,
        "changes": wording.CHANGES,
        "dataset_states": wording.DATASET_STATES,
        "secret_kinds": wording.SECRET_KINDS,
        "reading": reading.READING,
        "rules": reading.RULES,
        "column_rules": reading.COLUMN_RULES,
        "types": reading.TYPES,
        "masks": reading.MASK_WORDS,
        "date_orders": reading.DATE_ORDERS,
        "type": wording.type_in_words,
        "megabytes": wording.megabytes,
        "percent": wording.percent,
        "grade": wording.grade,
        "age": wording.age_in_words,
        "problem": problems.problem,
        "advice": problems.advice,
        "reason": problems.reason,
        "say": sentences.say,
        "known": sentences.known,
        "schedule": wording.schedule_in_words,
        "moment": wording.local_moment,
        "duration": wording.duration,
        "run_duration": wording.run_duration,
        "number": wording.number,
        "count": wording.count_in_words,
        "translate": _,
    }


def secrets_of(departments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The secrets of departments, by department and name, each with its department's title."""
    listing = tk.get_action("hanoiic_secret_list")
    return [
        {**secret, "department": department}
        for department in departments
        for secret in listing({}, {"owner_org": department["id"]})
    ]


def holds_of(run: dict[str, Any], holds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The open holds that a run found."""
    return [hold for hold in holds if hold["run_id"] == run["id"]]


def quality_words() -> dict[str, Any]:
    """What the snippet of a dataset's quality needs beside the numbers."""
    return {**words(), "dimensions": quality.DIMENSIONS}


HELPERS = {
    "hanoiic_waiting_holds": waiting_holds,
    "hanoiic_dataset_quality": dataset_quality,
    "hanoiic_quality_words": quality_words,
    "hanoiic_is_officer": hanoiic_is_officer,
    "hanoiic_officer_place": hanoiic_officer_place,
}
