"""Settings as data: a room declares one frozen dataclass, `load` builds it from the environment.

    @dataclass(frozen=True)
    class Settings:
        lake_root: Path = setting(doc="Folder or S3 URI of the lake.")
        log_level: str = setting("INFO", doc="Least severe level that is logged.")

    settings = load(Settings, os.environ, home_file=home / "etc/gateway.env")

A field's environment name is `HANOIIC_` and its name in capitals. Types: `str`, `int`, `float`,
`bool`, `Path`, `tuple[str, ...]` (comma-separated), and each `| None` with the default `None`.

`python -m lake.settings MODULE` says whether the environment suits the `Settings` of that module.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import logging
import os
import stat
import sys
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lake.errors import BadSetting, MissingSetting, SecretMissing, SettingsError, UnknownSetting

PREFIX = "HANOIIC_"
HOME = PREFIX + "HOME"
# The launcher's (deploy/settings.py). A shell that starts a portal exports them, and every program
# that is started from that shell meets them.
LAUNCHER = frozenset(
    PREFIX + name
    for name in (
        "HOME", "PORTAL_PORT", "GATEWAY_PORT", "PORTAL_HOST", "GATEWAY_HOST", "PORTAL_URL",
        "GATEWAY_URL", "DATABASE_URL", "HARVEST_DATABASE_URL", "REDIS_URL", "SOLR_URL", "DEMO_DATA",
        "ALLOWED_HOSTS", "NOTICES_FILE", "TOKEN", "TOKEN_FILE", "LOG_LEVEL",
    )
)  # fmt: skip

# Settings of the rooms that the launcher hands on to them; the others it sets itself. `gateway` is
# for Flight SQL too.
HANDED_ON = {
    room: frozenset(PREFIX + name for name in names)
    for room, names in {
        "gateway": (
            "LAKE_ROOT", "GATEWAY_TRUSTED_PROXIES", "GATEWAY_WORKERS", "GATEWAY_SPILL_DIR",
            "GATEWAY_CACHE_DIR", "GATEWAY_CACHE_MB", "GATEWAY_HOT_MB", "GATEWAY_TIMEOUT_S",
            "GATEWAY_MEMORY_MB", "GATEWAY_REQUESTS_PER_MINUTE",
            "GATEWAY_ANONYMOUS_REQUESTS_PER_MINUTE", "GATEWAY_CONCURRENT_QUERIES",
            "GATEWAY_ANONYMOUS_CONCURRENT_QUERIES", "GATEWAY_EVENTS_DIR", "EXPORTS_DIR",
            "EXPORTS_MB", "EXPORT_TIMEOUT_S", "GATEWAY_SLOW_QUERY_S", "GATEWAY_METRICS_PORT",
            "GATEWAY_METRICS_HOST", "FLIGHT_HOST", "FLIGHT_PORT", "FLIGHT_METRICS_PORT",
            "FLIGHT_TLS_CERTIFICATE_FILE", "FLIGHT_TLS_KEY_FILE", "ALLOW_WEAK_SANDBOX",
        ),
        "harvest": (
            "LAKE_ROOT", "HARVEST_RAW_DIR", "HARVEST_REFERENCE_TABLES", "HARVEST_HOST_RUNS",
            "HARVEST_RUN_GIB", "HARVEST_RUN_HOURS", "HARVEST_ARCHIVE_RUNS", "HARVEST_ARCHIVE_DAYS",
            "HARVEST_MAX_MISSING_SHARE", "HARVEST_KEEP_VERSION_DAYS", "HARVEST_KEEP_RAW_DAYS",
            "HARVEST_KEEP_REJECTED_DAYS",
        ),
    }.items()
}  # fmt: skip
# What a room passes over: it is another's.
ELSEWHERE = LAUNCHER.union(*HANDED_ON.values())

T = TypeVar("T")
_TRUTH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class Row(NamedTuple):
    """One setting as its documentation shows it; `default` is `None` when it must be set."""

    name: str
    type: str
    default: str | None
    doc: str


def setting(
    default: Any = dataclasses.MISSING,
    *,
    doc: str,
    name: str | None = None,
    least: float = 0,
    most: float = sys.float_info.max,
) -> Any:
    """Declare a field; without a default it must be set. `name` is its name after `HANOIIC_`, if
    the field's own in capitals does not fit. A number is from `least` to `most`."""
    metadata = {"doc": doc, "name": name, "least": least, "most": most}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def load(
    settings_class: type[T], environ: Mapping[str, str], *, home_file: Path | None = None
) -> T:
    """Build `settings_class` from `environ`, with the names of `home_file` (if it exists) beneath.

    Raises UnknownSetting, BadSetting, MissingSetting. An empty value counts as not set.
    """
    beneath = read_env_file(home_file) if home_file and home_file.exists() else {}
    named = {
        name: value for name, value in {**beneath, **environ}.items() if name.startswith(PREFIX)
    }
    fields = _fields(settings_class)
    elsewhere = ELSEWHERE & (environ.keys() - beneath.keys()) | {HOME}
    _refuse_unknown(set(named) - set(fields) - elsewhere, sorted(fields))
    values: dict[str, Any] = {}
    for name, (field, hint) in fields.items():
        if named.get(name):
            value = values[field.name] = _convert(name, named[name], hint)
            _refuse_beyond(name, value, field.metadata["least"], field.metadata["most"])
        elif field.default is dataclasses.MISSING:
            raise MissingSetting(_missing(name, field.metadata["doc"], home_file), name=name)
    return settings_class(**values)


def rows(settings_class: type[Any]) -> list[Row]:
    """The settings of a room, in order of declaration, for its documentation and `--help`."""
    return [
        Row(name, _type_text(hint), _default_text(field.default), field.metadata["doc"])
        for name, (field, hint) in _fields(settings_class).items()
    ]


def read_env_file(path: Path) -> dict[str, str]:
    """Parse `NAME=value` lines. Blank lines and `#` comments are skipped, values are verbatim."""
    named: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise BadSetting(
                f"{path}:{number} is not NAME=value", path=str(path), line_number=number
            )
        named[name.strip()] = value.strip()
    return named


def read_secret(path: Path) -> str:
    """The secret that `path` holds, without its line end. Raises SecretMissing.

    A file that others may read is used, since mounted container secrets look like that, and a
    warning is logged.
    """
    try:
        mode = path.stat().st_mode
        secret = path.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissing(f"cannot read the secret file {path}", path=str(path)) from error
    if not secret:
        raise SecretMissing(f"the secret file {path} is empty", path=str(path))
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        logging.getLogger(__name__).warning(
            "secret_file_readable_by_others", extra={"facts": {"path": str(path)}}
        )
    return secret


def _fields(settings_class: type[Any]) -> dict[str, tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(settings_class)
    return {
        PREFIX + (field.metadata["name"] or field.name.upper()): (field, _inner(hints[field.name]))
        for field in dataclasses.fields(settings_class)
    }


def _missing(name: str, doc: str, home_file: Path | None) -> str:
    said = f"{name} is not set: {doc}"
    if home_file is None or home_file.exists():
        return said
    return f"{said} There is no {home_file} either; {HOME} names the folder of a portal."


def _inner(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def _refuse_unknown(unknown: set[str], valid: list[str]) -> None:
    if not unknown:
        return
    hints = []
    for name in sorted(unknown):
        near = difflib.get_close_matches(name, valid, n=1)
        hints.append(f"{name} (did you mean {near[0]}?)" if near else name)
    raise UnknownSetting(
        f"unknown settings: {', '.join(hints)}; valid are: {', '.join(valid)}",
        unknown=sorted(unknown),
        valid=valid,
    )


def _bool(text: str) -> bool:
    return _TRUTH[text.lower()]


def _strings(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


_CONVERTERS: dict[Any, tuple[str, Callable[[str], Any]]] = {
    str: ("text", str),
    int: ("integer", int),
    float: ("number", float),
    bool: ("yes or no", _bool),
    Path: ("path", Path),
    tuple[str, ...]: ("list, comma-separated", _strings),
}


def _convert(name: str, text: str, hint: Any) -> Any:
    type_text, converter = _CONVERTERS[hint]
    try:
        return converter(text)
    except (ValueError, KeyError) as error:
        # The value is left out: a credential may have been put here by mistake.
        raise BadSetting(
            f"{name} is not of type: {type_text}", name=name, type=type_text
        ) from error


def _refuse_beyond(name: str, value: Any, least: float, most: float) -> None:
    # Written so that what is no number (`nan`) is refused too.
    if not isinstance(value, int | float) or least <= value <= most:
        return
    bounds = f"at least {least:g}" if most == sys.float_info.max else f"from {least:g} to {most:g}"
    raise BadSetting(f"{name} must be {bounds}", name=name)


def _type_text(hint: Any) -> str:
    return _CONVERTERS[hint][0]


def _default_text(default: Any) -> str | None:
    if default is dataclasses.MISSING:
        return None
    if default is None:
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default)


if __name__ == "__main__":
    try:
        load(importlib.import_module(sys.argv[1]).Settings, os.environ)
    except SettingsError as unsuited:
        sys.exit(str(unsuited))
