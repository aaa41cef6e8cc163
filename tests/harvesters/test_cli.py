"""The command line: what it shows, what it changes, and how it ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from harvesters.cli import main
from harvesters.connectors import CONNECTORS

CSV = "mã,tên\n00004,Ba Đình\n"


@dataclass(frozen=True)
class Ended:
    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command with a home; how it ended and what it said."""

    def command(home: Path, *arguments: str) -> Ended:
        monkeypatch.setenv("HANOIIC_HOME", str(home))
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as stopped:
            code = stopped.code
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return command


@pytest.mark.usefixtures("empty_queue")
def test_a_dry_run_shows_what_would_change_and_changes_nothing(
    command, settings_home, portal, serve, httpserver, lake
):
    portal.add_source(
        name="phuong",
        kind="csv",
        url=serve(CSV),
        dataset={"table": "wards"},
        options={"columns": {"mã": {"pattern": "[0-9]{5}"}}, "max_rejected_share": 0.6},
    )
    shown = command(settings_home, "run", "phuong", "--dry-run")
    assert shown.exit_code == 0, shown.stderr
    assert "wards: new table" in shown.stdout
    assert "1 rows accepted, 0 rejected" in shown.stdout
    assert "mã      string" in shown.stdout
    stages = shown.stdout[shown.stdout.index("Stages") :]
    # As in the run's own report: counts, bytes and durations.
    assert re.search(rf"fetch +done +\d+\.\d\d s  files 1, bytes {len(CSV.encode())}\n", stages)
    assert re.search(r"validate +done .+ accepted 1, rejected 0\n", stages)
    assert re.search(r"publish +done .+ tables 1, new_versions 1, rows 1\n", stages)
    assert re.search(r"register +skipped .+ datasets_published 1\n", stages)
    assert lake.tables() == []
    assert portal.runs == portal.datasets == {}
    assert command(settings_home, "run", "phuong").exit_code == 0
    assert (
        "wards: unchanged (now version 1)"
        in command(settings_home, "run", "phuong", "--dry-run").stdout
    )
    httpserver.clear()
    serve(CSV + "x,Ngọc Hà\n")
    changed = command(settings_home, "run", "phuong", "--dry-run").stdout
    assert "1 rows accepted, 1 rejected" in changed
    assert re.search(r"validate +done .+ accepted 1, rejected 1\n", changed)
    assert "pattern_mismatch" in changed
    assert len(lake.table("wards").versions()) == 1


@pytest.mark.usefixtures("empty_queue")
def test_the_command_line_tells_how_it_ended(command, settings_home, portal, serve):
    portal.add_source(name="tot", kind="csv", url=serve(CSV, "/a"), dataset={"table": "a"})
    portal.add_source(name="trang", kind="csv", url=serve("<html>", "/b"))
    portal.add_source(name="noi-bo", kind="csv", url="http://169.254.169.254/latest")
    done = command(settings_home, "run", "tot")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "published")
    refused = command(settings_home, "run", "trang")
    assert (refused.exit_code, refused.stderr.split(":")[0]) == (3, "html_instead_of_data")
    failed = command(settings_home, "run", "noi-bo")
    assert (failed.exit_code, failed.stderr.split(":")[0]) == (1, "address_forbidden")
    assert [run["state"] for run in portal.runs.values()] == ["published", "refused", "failed"]
    assert command(settings_home, "run", "khong-co").exit_code == 2


def test_preview_needs_no_portal(command, tmp_path, serve, httpserver):
    url = serve("a;b\n1,5;x\n")
    shown = command(tmp_path, "preview", url, "--allow-host", f"localhost:{httpserver.port}")
    assert shown.exit_code == 0, shown.stderr
    assert "float64" in shown.stdout
    forbidden = command(tmp_path, "preview", url)
    assert forbidden.exit_code == 1
    assert "address_forbidden" in forbidden.stderr
    assert re.search(r"fetch +failed", forbidden.stdout)
    assert re.search(r"decode +pending", forbidden.stdout)


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_help_of_every_kind_is_printed(command, tmp_path):
    said = command(tmp_path, "--help").stdout
    assert "Exit codes" in said
    assert "`kinds`" in said
    assert "`kinds`" in command(tmp_path, "preview", "--help").stdout
    kinds = command(tmp_path, "kinds").stdout
    assert [line.split()[0] for line in kinds.splitlines() if line[0] != " "] == list(CONNECTORS)
    for kind, connector in CONNECTORS.items():
        assert len(words(connector.help)) > 40
        assert words(f"{kind} {connector.title} {connector.help}") in words(kinds)
        alone = words(command(tmp_path, "kinds", kind).stdout)
        assert alone == words(f"{kind} {connector.title} {connector.help}")
    unknown = command(tmp_path, "kinds", "fax")
    assert unknown.exit_code == 2
    assert "'csv'" in unknown.stderr


def test_settings_that_miss_end_with_one_sentence(command, tmp_path):
    ended = command(tmp_path, "run", "x")
    assert ended.exit_code == 2
    assert "missing_setting: HANOIIC_LAKE_ROOT" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_setting_that_nobody_knows_is_named(command, settings_home, monkeypatch):
    monkeypatch.setenv("HANOIIC_LAKE_ROT", "x")
    ended = command(settings_home, "kinds")
    assert ended.exit_code == 0
    ended = command(settings_home, "run", "x")
    assert ended.exit_code == 2
    assert "did you mean HANOIIC_LAKE_ROOT?" in ended.stderr
