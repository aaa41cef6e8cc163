"""The lake's error tree. Errors hold facts and never log; the caller's edge maps them."""

from __future__ import annotations

from typing import Any, ClassVar


class LakeError(Exception):
    """Anything the lake refuses. `code` is stable; `facts` are safe to show to the caller."""

    code: ClassVar[str] = "lake_error"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class SettingsError(LakeError):
    """The environment does not describe a process that can start."""

    code = "bad_settings"


class UnknownSetting(SettingsError):
    """A `HANOIIC_*` name that the room does not know. Facts: `unknown`, `valid`."""

    code = "unknown_setting"


class BadSetting(SettingsError):
    """A value that its setting's type does not take, or an env file that cannot be read."""

    code = "bad_setting"


class MissingSetting(SettingsError):
    """A setting without a default that nobody set."""

    code = "missing_setting"


class SecretMissing(SettingsError):
    """A secret file that is not there, cannot be read, or is empty."""

    code = "secret_missing"


class InvalidName(LakeError):
    """A table, edition or run name outside its alphabet."""

    code = "invalid_name"


class InvalidSchema(LakeError):
    """Columns the lake cannot keep: a type outside its list, or names that are not unique."""

    code = "invalid_schema"


class ValueDoesNotFit(LakeError):
    """A value that does not fit the type of its column (an overflow, a wrong time of day)."""

    code = "value_does_not_fit"


class TableNotFound(LakeError):
    """No version of this table was ever published."""

    code = "table_not_found"


class VersionNotFound(LakeError):
    """No such version, or none yet at the time asked for."""

    code = "version_not_found"


class VersionExpired(VersionNotFound):
    """The version existed and its files were removed after the time they are kept."""

    code = "version_expired"


class TimeWithoutZone(LakeError):
    """A date-time without a zone was given where an instant is needed."""

    code = "time_without_zone"


class PublishContended(LakeError):
    """Other publishers kept winning; nothing was published. Trying again is safe."""

    code = "publish_contended"


class EditionNotFound(LakeError):
    """The edition was not written for this version."""

    code = "edition_not_found"


class EditionSpecInvalid(LakeError):
    """An edition's spec that does not fit the table: an unknown column, mask or operator, or a
    value of another type. Nothing was written."""

    code = "edition_spec_invalid"
