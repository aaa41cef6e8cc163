"""The offers editor's form: from an offer to its fields, and back to what the action takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ckan.plugins import toolkit as tk
from ckanext.hanoiic.licensing import questions, specs, terms

FILTERS = 4
# Empty lines of the form for questions that are not there yet.
MORE_QUESTIONS = 3
TEXTS = ("tier", "licence", "valid_from", "valid_until", "agreement_days", "sla_working_days")


@dataclass(frozen=True)
class Given:
    """``data`` for ``hanoiic_offer_update``, ``form`` to show the form again."""

    data: dict[str, Any]
    form: dict[str, Any]


def shown_form(offer: Mapping[str, Any] | None, columns: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of an offer as it is told (None: the strictest)."""
    said = offer or {"tier": "request", "licence": None, "own": {}, "terms": {}}
    shown, own = said["terms"], said["own"]
    names = [column["name"] for column in columns]
    return {
        "tier": said["tier"],
        "licence": (said["licence"] or {}).get("id", ""),
        "valid_from": _day(said.get("valid_from")),
        "valid_until": _day(said.get("valid_until")),
        "agreement_days": own.get("agreement_days") or "",
        "sla_working_days": shown.get("sla_working_days") or "",
        "quota": own.get("quota") or {},
        "shown": names if shown.get("columns") is None else shown["columns"],
        "masks": shown.get("masks") or {},
        "filters": [
            {**one, "value": _as_text(one.get("value"))} for one in shown.get("row_filter") or []
        ],
        "sample": shown.get("sample") or {},
        "auto_approve": shown.get("auto_approve"),
        "pinned": shown.get("pinned_versions") or {},
        "questions": shown.get("questions", [asdict(one) for one in questions.USUAL]),
    }


def _day(moment: str | None) -> str:
    """The day of a moment by the portal's clock, as the field for a day has it."""
    here = ZoneInfo(tk.config["ckan.display_timezone"])
    return datetime.fromisoformat(moment).astimezone(here).date().isoformat() if moment else ""


def read_form(form: Any, columns: list[dict[str, Any]], tables: Iterable[str]) -> Given:
    """What was typed. Values that don't fit stay text: the action says what is wrong."""
    types = {column["name"]: column["type"] for column in columns}
    shown = [name for name in types if name in form.getlist("shown")]
    masks = {
        name: _mask(kind, form.get(f"mask-value:{name}", ""), types[name])
        for name in types
        if (kind := form.get(f"mask:{name}")) in specs.MASKS
    }
    typed = [
        {
            "column": form.get(f"filter-column-{index}"),
            "op": form.get(f"filter-op-{index}"),
            "value": form.get(f"filter-value-{index}", "").strip(),
        }
        for index in range(FILTERS)
        if form.get(f"filter-column-{index}")
    ]
    rows = form.get("sample_rows", "").strip()
    sample = {
        "rows": _number(rows),
        "by": form.get("sample_by") or None,
        "holders": bool(form.get("sample_holders")),
    }
    quota = {name: _number(text) for name in terms.QUOTAS if (text := form.get(name, "").strip())}
    rule = {name: form.getlist(name) for name in terms.RULE} if form.get("auto_approve") else None
    texts = {name: form.get(name, "").strip() for name in TEXTS}
    pinned = {table: kept for table in tables if (kept := _versions(form, table))}
    asked = [one for index in _question_lines(form) if (one := _question(form, index))]
    # All columns ticked: those that come later are shown as well.
    every = shown == list(types)
    data = texts | {
        "columns": None if every else shown,
        "masks": masks,
        "row_filter": [_predicate(one, types) for one in typed],
        "sample": sample if rows else None,
        "quota": quota,
        "auto_approve": rule,
        "pinned_versions": pinned,
        "questions": asked,
    }
    return Given(
        data,
        texts
        | {
            "shown": shown,
            "masks": masks,
            "filters": typed,
            "sample": sample if rows else {},
            "quota": quota,
            "auto_approve": rule,
            "pinned": pinned,
            "questions": asked,
        },
    )


def _versions(form: Any, table: str) -> list[Any]:
    """Ticked versions, or numbers typed with commas between them."""
    typed = form.get(f"pinned-typed:{table}", "").split(",")
    texts = [*form.getlist(f"pinned:{table}"), *(text.strip() for text in typed)]
    return [_number(text) for text in texts if text]


def _question_lines(form: Any) -> list[int]:
    """The numbers of the lines for questions that the form has, in order."""
    prefix = "question-vi-"
    numbers = (name.removeprefix(prefix) for name in form if name.startswith(prefix))
    return sorted(int(number) for number in numbers if number.isdecimal())


def _question(form: Any, index: int) -> dict[str, Any] | None:
    """One line's question; None for a line that both languages leave empty."""
    words = {name: form.get(f"question-{name}-{index}", "").strip() for name in ("vi", "en")}
    if not any(words.values()):
        return None
    return {
        "id": form.get(f"question-id-{index}", ""),
        **words,
        "required": bool(form.get(f"question-required-{index}")),
        "kind": form.get(f"question-kind-{index}", "text"),
    }


def _mask(kind: str, text: str, type_: str) -> dict[str, Any]:
    text = text.strip()
    if kind == "truncate":
        return {"kind": kind, "length": _number(text)}
    if kind == "bucket":
        in_time = type_ in ("date", "timestamp")
        return {"kind": kind, "width": text if in_time else _number(text)}
    return {"kind": kind}


def _predicate(typed: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    if typed["op"] in ("not_null", "is_null"):
        return {"column": typed["column"], "op": typed["op"]}
    kind, text = types.get(typed["column"], ""), typed["value"]
    if typed["op"] == "in":
        return {**typed, "value": [_value(part.strip(), kind) for part in text.split(",")]}
    return {**typed, "value": _value(text, kind)}


def _value(text: str, kind: str) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    return _number(text) if kind in ("int64", "float64") else text


def _number(text: str) -> Any:
    """A number, or the text as it is."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    if value is None or isinstance(value, bool):
        return "" if value is None else json.dumps(value)
    return str(value)
