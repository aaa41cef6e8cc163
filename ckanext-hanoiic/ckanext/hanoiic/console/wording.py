"""States, schedules and errors in words, for the pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _

from .schedule import preset_of
from .source_fields import N_

# State → words, Bootstrap colour, Font Awesome icon.
RUN_STATES: dict[str | None, tuple[str, str, str]] = {
    None: (N_("Never run"), "secondary", "circle-o"),
    "requested": (N_("Waiting"), "info", "clock-o"),
    "running": (N_("Running"), "primary", "refresh"),
    "published": (N_("Published"), "success", "check"),
    "unchanged": (N_("Unchanged"), "success", "check"),
    "refused": (N_("Refused"), "warning", "exclamation-triangle"),
    "failed": (N_("Failed"), "danger", "times"),
}
RUN_EXPLAINED: dict[str, str] = {
    "requested": N_("The harvest is waiting for its turn."),
    "running": N_("The harvest is on; this page follows it."),
    "published": N_("A new version was published."),
    "unchanged": N_("The source has not changed, so nothing was published."),
    "refused": N_("The data is not fit to be published. The last version stays as it was."),
    "failed": N_("The harvest did not come to its end. The last version stays as it was."),
}
TRIGGERS = {"manual": N_("By hand"), "schedule": N_("By schedule"), "retry": N_("Tried again")}
STAGES: dict[str, str] = {
    "fetch": N_("Fetch the file"),
    "decode": N_("Read the file"),
    "normalise": N_("Make columns and types"),
    "validate": N_("Check the rows"),
    "publish": N_("Publish to the lake"),
    "register": N_("Register in the catalogue"),
}
STAGE_STATES: dict[str, tuple[str, str]] = {
    "pending": (N_("Not yet"), "secondary"),
    "running": (N_("Running"), "primary"),
    "done": (N_("Done"), "success"),
    "ok": (N_("Done"), "success"),
    "skipped": (N_("Left out"), "secondary"),
    "failed": (N_("Failed"), "danger"),
}
COUNTS: dict[str, str] = {
    "bytes": N_("bytes"),
    "files": N_("files"),
    "tables": N_("tables"),
    "columns": N_("columns"),
    "rows": N_("rows"),
    "accepted": N_("rows accepted"),
    "rejected": N_("rows rejected"),
    "datasets": N_("datasets"),
    "published": N_("versions published"),
    "unchanged": N_("tables unchanged"),
}
ADVICE: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        (
            "source_unreachable",
            "source_interrupted",
            "source_too_slow",
            "source_answered_error",
            "source_failed",
        ),
        N_(
            "Open the address in a browser. If it does not answer there either, tell those who "
            "run the department’s server; else run the source again."
        ),
    ),
    (
        ("url_refused", "redirects_exhausted", "html_instead_of_data"),
        N_("The address must lead straight to the file: copy it from the download link."),
    ),
    (
        ("address_forbidden",),
        N_("The host is in a private network: ask the portal’s operator to allow it."),
    ),
    (
        ("format_mismatch", "binary_content", "geojson_broken", "catalogue_broken"),
        N_("Open the file: is it of the kind that the source says? If not, change the kind."),
    ),
    (
        ("encoding_unknown", "encoding_broken"),
        N_('Pin the encoding in the advanced options, for instance {"encoding": "tcvn3"}.'),
    ),
    (
        ("no_table_found", "table_empty"),
        N_('Does the file have rows? If so, pin the header’s row, for instance {"header_row": 3}.'),
    ),
    (
        ("sheet_not_found",),
        N_('Pin the sheet in the advanced options, for instance {"sheet": "2026"}.'),
    ),
    (
        ("workbook_broken", "workbook_encrypted", "archive_encrypted", "archive_broken"),
        N_("Open the file on your computer, save it again without a password and put it back."),
    ),
    (
        ("column_missing", "too_many_rejected", "data_refused"),
        N_(
            "Look at the rejected rows below. Correct them at the source, or change the rules in "
            "the advanced options."
        ),
    ),
    (
        ("source_too_large", "archive_too_large", "too_many_columns", "line_too_long"),
        N_("The file is too large or misshapen: split it, or ask the portal’s operator."),
    ),
    (
        ("dataset_taken",),
        N_("Choose another table or dataset name: this one belongs to another source."),
    ),
    (
        ("source_invalid", "portal_refused"),
        N_("Edit the source and correct what the message says."),
    ),
    (("source_deleted",), N_("Nothing: the source is no longer harvested.")),
)
ADVICE_ELSE = N_(
    "Run the source again. If it fails again, send the number of this run to the portal’s operator."
)
PRESETS: dict[str, str] = {
    "none": N_("Only by hand"),
    "hourly": N_("Every hour"),
    "daily": N_("Every day at 02:00"),
    "weekly": N_("Every Monday at 02:00"),
    "monthly": N_("Every month, on day 2 at 02:00"),
    "custom": N_("By a cron expression"),
}


def advice(code: str) -> str:
    """What an officer can do about the error of a run."""
    texts = (text for codes, text in ADVICE if code in codes)
    return _(next(texts, ADVICE_ELSE))


def schedule_in_words(cron: str) -> str:
    """A schedule as the form says it; a cron expression of its own as it is."""
    preset = preset_of(cron)
    return _(PRESETS[preset]) if preset != "custom" else f"{cron} (UTC)"


def local_moment(moment: str | None) -> str:
    """An ISO moment as day and minute of the portal's clock; ``—`` without one."""
    if not moment:
        return "—"
    local = datetime.fromisoformat(moment).astimezone(tk.h.get_display_timezone())
    return local.strftime("%d/%m/%Y %H:%M")


def duration(seconds: Any) -> str:
    """Seconds as a person says them: ``0.4 s``, ``12 s``, ``3:05``, ``1:02:03``."""
    if not isinstance(seconds, (int, float)):
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return str(timedelta(seconds=round(seconds))).removeprefix("0:").removeprefix("0")


def run_duration(run: dict[str, Any]) -> str:
    """From start to end; empty for a run that has not ended."""
    if not (run.get("started_at") and run.get("finished_at")):
        return ""
    ends = (datetime.fromisoformat(run[key]) for key in ("finished_at", "started_at"))
    finished, started = ends
    return duration((finished - started).total_seconds())


def number(value: Any) -> str:
    """A whole number with the separator of the page's language; other values as text."""
    if isinstance(value, bool) or not isinstance(value, int):
        return "" if value is None else str(value)
    grouped = f"{value:,}"
    return grouped.replace(",", ".") if tk.h.lang() == "vi" else grouped


def count_in_words(key: str, value: Any) -> str:
    """A count of a stage: ``1,204 rows``."""
    return f"{number(value)} {_(COUNTS.get(key, key.replace('_', ' ')))}"
