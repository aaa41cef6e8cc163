"""``hanoiic``: start, stop and look after the portal on one machine."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from deploy import sql, welcome
from deploy.audit_schema import audit_tables
from deploy.errors import DeployError, NotRunning
from deploy.home import Home
from deploy.settings import Settings, handed_on
from deploy.supervision import Supervisor, end
from lake.errors import SettingsError
from lake.settings import load

EXAMPLES = """\
examples:
  hanoiic up                         start everything and stay in the foreground (Ctrl-C stops)
  hanoiic up --detach                start everything and return when it is ready
  HANOIIC_PORTAL_PORT=8080 hanoiic up
  hanoiic status --json
  hanoiic logs gateway --follow
  hanoiic sql "SELECT * FROM planning_wards LIMIT 5"

Settings are environment variables HANOIIC_*; docs/settings.d lists them.
Exit codes: 0 done, 1 something is wrong (one sentence says what), 2 wrong usage or setting."""


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        settings = load(Settings, os.environ)
        code = int(options.run(settings, options) or 0)
        sys.stdout.flush()
        return code
    except SettingsError as error:
        print(f"hanoiic: {error} [{error.code}]", file=sys.stderr)
        return 2
    except DeployError as error:
        print(f"hanoiic: {error} [{error.code}]", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Who reads has read enough, as `head` does; Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("hanoiic: stopped", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="hanoiic",
        description="Start, stop and look after the open-data portal on one machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[Settings, argparse.Namespace], int | None], text: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        made.set_defaults(run=run)
        return made

    start = command("up", run_up, "prepare and start the portal")
    start.add_argument(
        "--detach", action="store_true", help="return when everything is ready, leave it running"
    )
    start.add_argument(
        "--no-demo", action="store_true", help="without the demo departments, users and data"
    )
    command("down", run_down, "stop the portal and every process of it")
    status = command("status", run_status, "show what runs, and where")
    status.add_argument("--json", action="store_true", help="for scripts")
    logs = command("logs", run_logs, "show the last lines of the logs")
    logs.add_argument("program", nargs="?", help="one program's log only (see `hanoiic status`)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as lines come")
    logs.add_argument("-n", "--lines", type=int, default=20, help="how many lines (default 20)")
    reset = command("reset", run_reset, "stop the portal and delete all its data")
    reset.add_argument("--yes", action="store_true", help="don't ask")
    audit = command("audit", run_audit, "check the audit's chain, or sign where it stands")
    audit.add_argument(
        "what",
        choices=("verify", "checkpoint", "sql"),
        help="verify: name the first entry that was edited or removed (exit code 1); checkpoint: "
        "sign the newest entry's hash; sql: print what makes the audit's tables",
    )
    audit.add_argument("--checkpoints", type=Path, help="another file of signed checkpoints")
    audit.add_argument("--key", type=Path, help="the key in PEM; its public half will do to verify")
    audit.add_argument("--json", action="store_true", help="for scripts")
    sql.add_arguments(command("sql", sql.run, "ask the gateway in SQL"))
    receipt = command("receipt", run_receipt, "check the receipt of an answer of the gateway")
    receipt.add_argument("what", choices=("verify",), help="check signature and result")
    receipt.add_argument("file", type=Path, metavar="FILE", help="the receipt (a JWS)")
    receipt.add_argument("--result", type=Path, help="the answer it is for, as downloaded")
    receipt.add_argument(
        "--keys", help="the gateway's public keys: URL or file (default: this portal's gateway)"
    )
    receipt.add_argument("--json", action="store_true", help="for scripts")
    check = command("doctor", run_doctor, "check what the portal needs, and say what to do")
    check.add_argument("--json", action="store_true", help="for scripts")
    return top


def run_up(settings: Settings, options: argparse.Namespace) -> None:
    # Loads CKAN, which takes seconds that other commands need not wait.
    from deploy import up

    def interrupted(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # SIGINT by name too: a shell that starts programs in the background has them ignore it.
    for stopping in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stopping, interrupted)
    print("Starting the open-data portal of the Hanoi Innovation Center …", flush=True)
    rooms = handed_on(os.environ)
    started = up.start(settings, say, with_demo=not options.no_demo, handed_on=rooms)
    try:
        print(welcome.text(started), flush=True)
        if options.detach:
            return
        print("Ctrl-C stops everything.", flush=True)
        Supervisor(started.plan.home).stay(started.process)
        print("Stopped by `hanoiic down`.", flush=True)
    except KeyboardInterrupt:
        print("\nStopping …", flush=True)
        # A second Ctrl-C must not leave children behind.
        for stopping in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stopping, signal.SIG_IGN)
        end(started.process)
        print("Stopped; the data stays in", started.plan.home.root, flush=True)


def run_down(settings: Settings, _options: argparse.Namespace) -> None:
    Supervisor(Home(settings.home.resolve())).stop()
    print("Stopped.")


def run_status(settings: Settings, options: argparse.Namespace) -> int:
    home = Home(settings.home.resolve())
    programs = Supervisor(home).programs()
    addresses = home.addresses(settings)
    report = {
        "home": str(home.root),
        **{name: addresses[name] for name in ("portal_url", "gateway_url")},
        "programs": programs,
    }
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"portal   {report['portal_url']}\ngateway  {report['gateway_url']}")
        for row in programs:
            uptime = f"{row['uptime_s']:>7} s" if row["state"] == "running" else ""
            print(f"{row['name']:<12} {row['state']:<9} {row['pid'] or '':>8} {uptime}")
    return 0 if all(row["state"] == "running" for row in programs) else 1


def run_logs(settings: Settings, options: argparse.Namespace) -> int:
    home = Home(settings.home.resolve())
    files = sorted(home.logs.glob("*.log"))
    if options.program:
        chosen = [file for file in files if file.stem == options.program]
        if not chosen:
            names = ", ".join(file.stem for file in files) or "none yet"
            raise DeployError(f"There is no log called {options.program!r}; there are: {names}.")
        files = chosen
    if not files:
        raise NotRunning(f"There are no logs in {home.logs} yet; `hanoiic up` starts the portal.")
    follow = ["-F"] if options.follow else []
    return subprocess.call(["tail", "-n", str(options.lines), *follow, *map(str, files)])


def run_reset(settings: Settings, options: argparse.Namespace) -> int:
    home = Home(settings.home.resolve())
    if not home.root.exists():
        print(f"There is nothing to delete: {home.root} does not exist.")
        return 0
    if not (home.etc / "ports.json").exists():
        raise DeployError(f"{home.root} is not a portal's home; nothing was deleted.")
    if not options.yes:
        print(f"This deletes every dataset, user and setting of the portal in {home.root}.")
        try:
            answer = input("Type 'delete' to go on: ")
        except EOFError:
            answer = ""
        if answer.strip() != "delete":
            print("Nothing was deleted.")
            return 1
    supervisor = Supervisor(home)
    if supervisor.is_running() or supervisor.leftovers():
        supervisor.stop()
    linked = home.postgres.resolve() if home.postgres.is_symlink() else None
    shutil.rmtree(home.root)
    if linked and linked.exists():
        shutil.rmtree(linked.parent)
    print(f"Deleted {home.root}.")
    for name, url in (("DATABASE", settings.database_url), ("REDIS", settings.redis_url)):
        if url:
            print(f"What lies in the server of HANOIIC_{name}_URL stays there.")
    return 0


def run_audit(settings: Settings, options: argparse.Namespace) -> int:
    if options.what == "sql":
        print(audit_tables())
        return 0
    home = Home(settings.home.resolve())
    if not home.ckan_ini.exists():
        raise NotRunning(f"There is no portal in {home.root} yet; `hanoiic up` makes one.")
    command = ["ckanext.hanoiic.licensing.audit_command", options.what, "--ini", home.ckan_ini]
    for name in ("checkpoints", "key"):
        if getattr(options, name):
            command += [f"--{name}", getattr(options, name)]
    return run_module(*command, *(["--json"] if options.json else []))


def run_receipt(settings: Settings, options: argparse.Namespace) -> int:
    gateway_url = Home(settings.home.resolve()).gateway_url(settings)
    keys = options.keys or f"{gateway_url}/v1/receipts/keys"
    command = ["ckanext.hanoiic.licensing.receipt_command", options.file, "--keys", keys]
    if options.result:
        command += ["--result", options.result]
    return run_module(*command, *(["--json"] if options.json else []))


def run_module(module: str, *arguments: object) -> int:
    """Run a command of another room in a process of its own, on this terminal."""
    return subprocess.call([sys.executable, "-m", module, *map(str, arguments)])


def run_doctor(settings: Settings, options: argparse.Namespace) -> int:
    from deploy import doctor

    findings = doctor.examine(settings)
    if options.json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{'✓' if finding.ok else '✗'} {finding.check}: {finding.text}")
    return 0 if all(finding.ok for finding in findings) else 1


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
