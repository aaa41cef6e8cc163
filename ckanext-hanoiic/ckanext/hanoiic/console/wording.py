"""States, schedules, times and counts in words, for the pages."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import Any

from ckan.plugins import toolkit as tk
from ckan.plugins.toolkit import _, ungettext

from .kinds import N_, kind_of
from .reading import TYPES
from .schedule import rhythm

# State → words, Bootstrap colour, Font Awesome icon.
RUN_STATES: dict[str | None, tuple[str, str, str]] = {
    None: (N_("Never run"), "secondary", "minus"),
    "requested": (N_("Waiting"), "info", "clock"),
    "running": (N_("Running"), "primary", "refresh"),
    "published": (N_("Published"), "success", "check"),
    "unchanged": (N_("Unchanged"), "success", "check"),
    "held": (N_("Waits for you"), "warning", "pause"),
    "refused": (N_("Refused"), "warning", "exclamation-triangle"),
    "failed": (N_("Failed"), "danger", "times"),
}
RUN_EXPLAINED: dict[str, str] = {
    "requested": N_("The harvest is waiting for its turn."),
    "running": N_("The harvest is on; this page follows it."),
    "published": N_("A new version was published."),
    "unchanged": N_("The source has not changed, so nothing was published."),
    "held": N_(
        "Something in the data must be looked at before it is published. The last version stays as "
        "it was until you decide."
    ),
    "refused": N_("The data is not fit to be published. The last version stays as it was."),
    "failed": N_("The harvest did not come to its end. The last version stays as it was."),
}
TRIGGERS = {
    "manual": N_("By hand"),
    "schedule": N_("By schedule"),
    "retry": N_("Tried again"),
    "release": N_("To publish what was approved"),
}
# Kind of a held version → what it is called, and what it is about.
HOLD_KINDS: dict[str, tuple[str, str]] = {
    "personal_data": (
        N_("Personal data"),
        N_(
            "Columns look like data about persons. The law forbids publishing it without a ground: "
            "hide the columns, or approve with the reason why they may be seen."
        ),
    ),
    "schema_drift": (
        N_("Changed columns"),
        N_(
            "The columns are not those of the published version. Programs that read the old ones "
            "may stop working."
        ),
    ),
    "deletes": (
        N_("Missing datasets"),
        N_(
            "So many datasets are gone from the source that it may be a mistake there. Nothing is "
            "archived until you decide."
        ),
    ),
}
HOLD_STATES: dict[str, tuple[str, str]] = {
    "open": (N_("Waits for a decision"), "warning"),
    "approved": (N_("Approved"), "success"),
    "rejected": (N_("Rejected"), "danger"),
    "superseded": (N_("Replaced by a newer finding"), "secondary"),
}
PERSONAL_KINDS: dict[str, str] = {
    "citizen_id": N_("number of an identity card or passport"),
    "phone": N_("telephone number"),
    "email": N_("e-mail address"),
    "licence_plate": N_("licence plate"),
    "address": N_("address with a house number"),
    "bank_account": N_("bank account"),
    "birth_date": N_("date of birth"),
    "person_name": N_("name of a person"),
}
CHANGES: dict[str, str] = {
    "missing": N_("Column is gone"),
    "new": N_("New column"),
    "retyped": N_("Other type"),
    "renamed": N_("Seems renamed"),
}
DATASET_STATES: dict[str, tuple[str, str]] = {
    "published": (N_("Published"), "success"),
    "unchanged": (N_("Unchanged"), "light"),
    "held": (N_("Waits for you"), "warning"),
    "refused": (N_("Refused"), "warning"),
    "failed": (N_("Failed"), "danger"),
    "missing": (N_("Missing at the source"), "secondary"),
    "archived": (N_("Archived"), "secondary"),
    "restored": (N_("Restored"), "success"),
}
SECRET_KINDS: dict[str, tuple[str, str]] = {
    "bearer": (N_("Token (Authorization: Bearer)"), N_("The token alone.")),
    "basic": (
        N_("User name and password"),
        N_("Written as user:password; of a database or file server too."),
    ),
    "header": (N_("Header of its own"), N_("Written as X-Api-Key: value.")),
    "s3": (N_("Keys of an S3 bucket"), N_("Written as access key:secret key.")),
    "ssh_key": (
        N_("Key of a file server (SSH)"),
        N_("Written as user: and the private key, as OpenSSH writes it."),
    ),
    "password": (N_("Password alone"), N_("No kind of source asks for it yet.")),
}
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
    "skipped": (N_("Left out"), "secondary"),
    "failed": (N_("Failed"), "danger"),
}
COUNTS: dict[str, str] = {
    "bytes": N_("bytes"),
    "files": N_("files"),
    "unchanged_files": N_("files unchanged"),
    "failed_files": N_("files failed"),
    "tables": N_("tables"),
    "columns": N_("columns"),
    "rows": N_("rows"),
    "accepted": N_("rows accepted"),
    "rejected": N_("rows rejected"),
    "new_versions": N_("new versions"),
    "datasets": N_("datasets"),
    "held_tables": N_("tables held back"),
    "datasets_changed": N_("datasets changed"),
    "datasets_published": N_("datasets published"),
    "datasets_unchanged": N_("datasets unchanged"),
    "datasets_held": N_("datasets held"),
    "datasets_refused": N_("datasets refused"),
    "datasets_failed": N_("datasets failed"),
    "datasets_missing": N_("datasets missing"),
    "datasets_archived": N_("datasets archived"),
    "datasets_restored": N_("datasets restored"),
}
WEEKDAYS = (
    N_("Sunday"),
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
)
RHYTHMS: dict[str, str] = {
    "hour": N_("Every hour at minute {minute}"),
    "day": N_("Every day at {time}"),
    "week": N_("Every {weekday} at {time}"),
    "month": N_("Every month, on day {day} at {time}"),
}
PRESETS: dict[str, str] = {
    "none": N_("Only by hand"),
    "hourly": N_("Every hour"),
    "daily": N_("Every day at 02:00"),
    "weekly": N_("Every Monday at 02:00"),
    "monthly": N_("Every month, on day 2 at 02:00"),
    "custom": N_("By a cron expression"),
}


def kind_title(name: str) -> str:
    """What a kind of source is called; one without words by its name."""
    return _(kind_of(name).title) if name else ""


def type_in_words(name: str | None) -> str:
    """What a column type is called; one without words, such as ``decimal(10,2)``, by its name."""
    return _(TYPES[name]) if name in TYPES else str(name or "")


def megabytes(byte_count: int) -> str:
    return f"{number(byte_count >> 20)} MiB"


def percent(value: float | None) -> str:
    """A share as whole per cent, never rounded up to 100; a dash when it is not known."""
    if value is None:
        return "—"
    whole = 99 if 0.99 <= value < 1 else round(value * 100)
    return f"{whole}\u00a0%"


def grade(value: float | None) -> str:
    """``good``, ``middling`` or ``poor``: the colour of a meter."""
    if value is None:
        return "unknown"
    return "good" if value >= 0.9 else "middling" if value >= 0.6 else "poor"


def age_in_words(age: timedelta | None) -> str:
    """How old the data is, in days or hours."""
    if age is None:
        return "—"
    if age.days:
        return ungettext("{n} day", "{n} days", age.days).format(n=number(age.days))
    hours = age.seconds // 3600
    if not hours:
        return _("less than an hour")
    return ungettext("{n} hour", "{n} hours", hours).format(n=hours)


def schedule_in_words(cron: str) -> str:
    """A schedule on Hanoi's clock; a cron expression that is not simple as it is."""
    found = rhythm(cron)
    if found is None:
        by_hand = PRESETS["none"]
        return f"{cron} (UTC)" if cron else _(by_hand)
    facts = {
        "minute": f"{found.minute:02}",
        "time": f"{found.hour:02}:{found.minute:02}",
        "day": found.day,
        "weekday": _(WEEKDAYS[found.day % 7]),
    }
    return _(RHYTHMS[found.every]).format(**facts)


def local_moment(moment: str | None) -> str:
    """An ISO moment as day and minute of the portal's clock, as the portal writes them."""
    if not moment:
        return "—"
    return str(tk.h.hanoiic_minute(moment))


def alphabetical(text: str) -> str:
    """A key that sorts as a Vietnamese reader expects: đ after d, tones after the letters."""
    return unicodedata.normalize("NFD", text.casefold().replace("đ", "d\uffff"))


def duration(seconds: Any) -> str:
    """Seconds as a person says them: ``0.4 s``, ``12 s``, ``3:05``, ``1:02:03``."""
    if not isinstance(seconds, (int, float)):
        return ""
    if seconds < 10:
        tenths = f"{seconds:.1f} s"
        return tenths.replace(".", ",") if tk.h.lang() == "vi" else tenths
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
