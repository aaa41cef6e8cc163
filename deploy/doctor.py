"""Check, one by one, what the portal needs, and say what to do about what is missing."""

from __future__ import annotations

import datetime
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

import psycopg
import redis
import requests
from packaging.requirements import Requirement

from deploy import ports
from deploy.errors import DeployError
from deploy.home import FREE_BYTES_NEEDED, Home
from deploy.postgres import PORTAL_ROLE, bundled_programs
from deploy.supervision import Supervisor, clean_environment
from deploy.valkey import bundled_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.settings import Settings

PYTHON_NEEDED = (3, 11)
CLOCK_TOLERANCE_S = 5.0
ANSWER_TIMEOUT_S = 15.0
# CKAN's start and a look at every dataset; a database that hangs never answers.
INDEX_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Finding:
    check: str
    ok: bool
    text: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Run every check; none stops the others."""
    home = Home(settings.home.resolve())
    return [finding for check in CHECKS for finding in check(settings, home)]


def check_python(_settings: Settings, _home: Home) -> Iterator[Finding]:
    found = platform.python_version()
    ok = sys.version_info[:2] >= PYTHON_NEEDED
    needed = ".".join(map(str, PYTHON_NEEDED))
    text = found if ok else f"{found} is too old; install Python {needed} or newer"
    yield Finding("python", ok, text)


def check_wheels(_settings: Settings, _home: Home) -> Iterator[Finding]:
    wrong = []
    for line in requires("hanoiic") or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            if not requirement.specifier.contains(version(requirement.name), prereleases=True):
                wrong.append(f"{requirement.name} {version(requirement.name)}")
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} (missing)")
    text = "all installed" if not wrong else f"{', '.join(wrong)}; run `pip install -e .` again"
    yield Finding("packages", not wrong, text)
    built = importlib.util.find_spec("api_gateway._row_text") is not None
    text = (
        "built"
        if built
        else (
            "not built, so long CSV and JSON answers take half as long again; install a C++ "
            "compiler and run `pip install -e .` again"
        )
    )
    yield Finding("quick texts", True, text)
    for name, find in (("postgresql", bundled_programs), ("valkey", bundled_server)):
        try:
            yield Finding(f"{name} programs", find().exists(), str(find()))
        except DeployError as error:
            yield Finding(f"{name} programs", False, str(error))


def check_disk(_settings: Settings, home: Home) -> Iterator[Finding]:
    existing = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    ok = free >= FREE_BYTES_NEEDED
    advice = "" if ok else "; free some or set HANOIIC_HOME to another disk"
    yield Finding("disk", ok, f"{free // (1 << 20)} MiB free at {existing}{advice}")
    writable = os.access(existing, os.W_OK)
    text = f"{home.root} can{'' if writable else 'not'} be written"
    yield Finding("home", writable, text if writable else f"{text}; set HANOIIC_HOME elsewhere")


def check_ports(settings: Settings, home: Home) -> Iterator[Finding]:
    supervisor = Supervisor(home)
    if supervisor.is_running() or supervisor.leftovers():
        return
    for name in ("portal", "gateway"):
        port, host = getattr(settings, f"{name}_port"), getattr(settings, f"{name}_host")
        ok = ports.is_free(port, host)
        advice = f"is in use; set HANOIIC_{name.upper()}_PORT to another one"
        yield Finding(f"{name} port", ok, f"{port} {'is free' if ok else advice}")


def check_processes(_settings: Settings, home: Home) -> Iterator[Finding]:
    supervisor = Supervisor(home)
    if not supervisor.is_running():
        left = len(supervisor.leftovers())
        text = f"{left} processes of a killed supervisor live; `hanoiic down` ends them"
        yield Finding("processes", not left, text if left else "the portal is not running")
        return
    down = [row["name"] for row in supervisor.programs() if row["state"] != "running"]
    text = (
        f"{', '.join(down)} not running; `hanoiic logs {down[0]}` tells why" if down else "all up"
    )
    yield Finding("processes", not down, text)


def check_answers(settings: Settings, home: Home) -> Iterator[Finding]:
    """Whether portal and gateway do what they are there for, and not only run."""
    if not Supervisor(home).is_running():
        return
    addresses = home.addresses(settings)
    for name, path in (("portal", "/api/3/action/package_search?rows=0"), ("gateway", "/v1/ready")):
        url = addresses[f"{name}_internal_url"]
        try:
            answer = requests.get(f"{url}{path}", timeout=ANSWER_TIMEOUT_S)
            ok, said = answer.ok, f"answers {answer.status_code} at {url}"
        except requests.RequestException as error:
            ok, said = False, f"does not answer at {url} ({type(error).__name__})"
        yield Finding(name, ok, said if ok else f"{said}; `hanoiic logs {name}` tells why")


def check_cache(settings: Settings, home: Home) -> Iterator[Finding]:
    url = settings.redis_url
    if not url:
        if not Supervisor(home).is_running():
            return
        url = home.secret("redis_url")
    try:
        with redis.Redis.from_url(url, socket_timeout=5) as client:
            client.ping()
        yield Finding("cache", True, "Valkey answers")
    except (redis.RedisError, ValueError) as error:
        advice = "check HANOIIC_REDIS_URL or `hanoiic logs valkey`"
        yield Finding("cache", False, f"it can't be used ({type(error).__name__}); {advice}")


def check_database(settings: Settings, home: Home) -> Iterator[Finding]:
    url = settings.database_url or _embedded_url(home)
    if url is None:
        yield Finding("database", True, "embedded, not running")
        return
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            server = connection.info.parameter_status("server_version")
            yield Finding("database", True, f"PostgreSQL {server} answers")
            row = connection.execute("SELECT to_regclass('public.alembic_version')").fetchone()
            migrated = bool(row and row[0])
            text = "CKAN's tables stand" if migrated else "no tables yet; `hanoiic up` makes them"
            yield Finding("migrations", migrated, text)
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        yield Finding("database", False, f"{reason}; check HANOIIC_DATABASE_URL or `hanoiic logs`")


def _embedded_url(home: Home) -> str | None:
    if not Supervisor(home).is_running():
        return None
    port = ports.kept(home.etc / "ports.json")["postgres"]
    password = home.secret("database_portal")
    return f"postgresql://{PORTAL_ROLE}:{password}@127.0.0.1:{port}/hanoiic"


def check_search_index(settings: Settings, home: Home) -> Iterator[Finding]:
    """Whether the index on PostgreSQL has what the catalogue has; a crash may lose the newest."""
    if settings.solr_url or not Supervisor(home).is_running():
        return
    ckan = [sys.executable, "-m", "ckanext.hanoiic", "-c", str(home.ckan_ini)]
    try:
        done = subprocess.run(
            [*ckan, "hanoiic-search", "mend", "--check"],
            cwd=home.run,
            env={**clean_environment(), "PGCONNECT_TIMEOUT": "5"},
            capture_output=True,
            text=True,
            timeout=INDEX_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        text = f"not told within {INDEX_TIMEOUT_S:.0f} s; see what is said of the database"
        yield Finding("search index", False, text)
        return
    said = (done.stdout.strip().splitlines() or ["the check did not run"])[-1]
    advice = "" if done.returncode == 0 else "; the background jobs mend it at the next start"
    yield Finding("search index", done.returncode == 0, f"{said}{advice}")


def check_clock(settings: Settings, home: Home) -> Iterator[Finding]:
    """The portal's clock against this one: they differ where parts run on several machines."""
    if not Supervisor(home).is_running():
        return
    try:
        url = home.addresses(settings)["portal_internal_url"]
        answer = requests.head(url, timeout=ANSWER_TIMEOUT_S)
        served = parsedate_to_datetime(answer.headers["Date"])
    except (requests.RequestException, KeyError, ValueError) as error:
        yield Finding("clock", False, f"the portal does not answer ({type(error).__name__})")
        return
    offset_s = abs((datetime.datetime.now(datetime.UTC) - served).total_seconds())
    ok = offset_s <= CLOCK_TOLERANCE_S
    advice = "" if ok else "; set the time by NTP: grants expire by the server's clock"
    yield Finding("clock", ok, f"{offset_s:.0f} s from the portal's{advice}")


CHECKS: tuple[Callable[[Settings, Home], Iterator[Finding]], ...] = (
    check_python,
    check_wheels,
    check_disk,
    check_ports,
    check_processes,
    check_answers,
    check_database,
    check_cache,
    check_search_index,
    check_clock,
)
