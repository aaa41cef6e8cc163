"""The console's errors; ``code`` is the stable name for programs."""

from __future__ import annotations


class ConsoleError(Exception):
    """Something the console refuses; ``detail`` says what and why."""

    code = "console_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RunFinished(ConsoleError):
    """A report on a run that has already ended: ended runs never reopen."""

    code = "run_finished"


class RunStateConflict(ConsoleError):
    """A change of state that the table of transitions does not have."""

    code = "run_state_conflict"


class RunOpen(ConsoleError):
    """The source has a run that is not finished."""

    code = "run_open"


class ScheduleInvalid(ConsoleError):
    """Not a cron expression of five fields that ever comes due."""

    code = "schedule_invalid"


class TableTaken(ConsoleError):
    """A lake table that another source or another organisation has; ``table`` names it.

    ``source_id`` is the other source, where there is one.
    """

    code = "table_taken"

    def __init__(self, table: str, source_id: str | None = None) -> None:
        super().__init__(f"The table {table} belongs to another source, dataset or organisation.")
        self.table = table
        self.source_id = source_id


class SourceChanged(ConsoleError):
    """A change of a source that somebody else changed since the caller saw it."""

    code = "source_changed"


class LicenceMissing(ConsoleError):
    """Open data of which nobody knows what they may do with it."""

    code = "licence_missing"


class HarvesterMissing(ConsoleError):
    """The user of the harvest worker does not exist, so a source would never be harvested."""

    code = "harvester_missing"


class HoldDecided(ConsoleError):
    """A decision on a held version that somebody has decided, or that another has replaced."""

    code = "hold_decided"


class TooManyPreviews(ConsoleError):
    """The organisation has as many unfinished previews as it may."""

    code = "too_many_previews"


class UploadTooLarge(ConsoleError):
    """A file larger than the setting ``hanoiic.upload_max_mb`` allows."""

    code = "upload_too_large"


class SecretsUnavailable(ConsoleError):
    """There is no key file, or none of its keys opens the secret."""

    code = "secrets_unavailable"


class WebhookRefused(ConsoleError):
    """The webhook is not called: no plain public address, or no key to sign with."""

    code = "webhook_refused"


# Errors the console itself writes into a run.
SOURCE_DELETED = "source_deleted"
WORKER_LOST = "worker_lost"
