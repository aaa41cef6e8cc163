"""`hanoiic sql`: a table, a pipe, a file, and errors in words."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest

from deploy import cli
from tests.api_gateway.portal import STARTUP


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def hanoiic(gateway, monkeypatch, capfd):
    """Runs the command, as its entry point does."""

    def run(*arguments: str, given: str = "", **environ: str) -> Done:
        with monkeypatch.context() as set_up:
            for name in [name for name in os.environ if name.startswith("HANOIIC_")]:
                set_up.delenv(name)
            for name, value in environ.items():
                set_up.setenv(name, value)
            set_up.setattr("sys.stdin", io.StringIO(given))
            try:
                code = cli.main(["sql", "--url", gateway.url, *arguments])
            except SystemExit as stopped:
                code = int(stopped.code or 0)
        shown = capfd.readouterr()
        return Done(code, shown.out, shown.err)

    return run


def on_a_terminal(gateway, *arguments: str) -> Done:
    """The command as a process whose output is a terminal of 60 columns."""
    command = [sys.executable, "-m", "deploy.cli", "sql", "--url", gateway.url, *arguments]
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "60", "LANG": "C.UTF-8"}
    mine, theirs = pty.openpty()
    done = subprocess.run(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True, env=environment,
        timeout=120,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    # A terminal that was closed ends with an error.
    with os.fdopen(mine, "rb", buffering=0) as output, contextlib.suppress(OSError):
        while piece := output.read(65536):
            shown += piece
    return Done(done.returncode, shown.decode(), done.stderr)


def test_a_terminal_gets_a_table_that_fits(gateway):
    sql = "SELECT mã, tên, repeat('x', 500) AS dài FROM bus_stops"
    done = on_a_terminal(gateway, sql)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace("\r", "").splitlines()
    assert all(len(line) <= 60 for line in lines if "\x1b" not in line)
    assert "Hồ Gươm" in done.stdout
    assert "…" in done.stdout
    assert "3 rows" in done.stderr
    assert "Trung tâm Đổi mới sáng tạo Hà Nội" in done.stderr.replace("\n", " ")


def test_rows_left_out_of_a_table_are_told(hanoiic):
    done = hanoiic("SELECT i FROM range(500) t(i)", "--format", "table")
    assert "100 rows" in done.stderr
    assert "--output keeps all" in done.stderr


@pytest.mark.parametrize("to", ["pipe", "file"])
def test_rows_that_a_limit_cut_off_are_told_beside_the_answer(hanoiic, tmp_path: Path, to):
    said = "There are more rows: --limit cut some off."
    output = ("-o", str(tmp_path / "rows.csv")) if to == "file" else ()
    cut = hanoiic("FROM bus_stops", "--limit", "1", *output)
    assert (cut.returncode, said in cut.stderr, said in cut.stdout) == (0, True, False)
    assert said not in hanoiic("FROM bus_stops", "--limit", "3", *output).stderr
    assert said not in hanoiic("FROM bus_stops", *output).stderr


def test_a_pipe_gets_csv_and_sql_may_come_from_one(hanoiic):
    done = hanoiic("-", given="SELECT mã FROM bus_stops ORDER BY 1")
    assert done.stdout == '"mã"\n1\n2\n3\n'
    named = hanoiic("SELECT $a || $b AS x", "--param", "a=Đống", "-p", "b= Đa")
    assert named.stdout == '"x"\n"Đống Đa"\n'
    counted = hanoiic("SELECT ? + 1 AS x, ? AS y", "-p", "41", "-p", "hồ")
    assert counted.stdout == '"x","y"\n42,"hồ"\n'
    older = hanoiic("SELECT count(*) AS n FROM bus_stops", "--as-of", "1")
    assert older.stdout == '"n"\n2\n'


@pytest.mark.parametrize("name", ["rows.parquet", "rows.xlsx", "rows.jsonl"])
def test_a_file_has_the_format_of_its_ending(hanoiic, tmp_path: Path, name):
    file = tmp_path / name
    done = hanoiic("SELECT tên FROM bus_stops ORDER BY mã", "-o", str(file))
    assert done.returncode == 0, done.stderr
    content = file.read_bytes()
    assert f"{len(content):,}bytes" in "".join(done.stderr.split())
    if name.endswith("parquet"):
        assert pq.read_table(io.BytesIO(content)).num_rows == 3
    elif name.endswith("xlsx"):
        assert openpyxl.load_workbook(io.BytesIO(content)).active["A2"].value == "Bến xe Mỹ Đình"
    else:
        assert json.loads(content.splitlines()[0]) == {"tên": "Bến xe Mỹ Đình"}
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_the_plan_is_told_in_words(hanoiic):
    done = hanoiic("SELECT tên FROM bus_stops WHERE mã > 1", "--explain")
    assert "bytes of Parquet" in done.stdout
    assert "SCAN" in done.stdout


def test_a_token_comes_from_a_file_or_the_environment(hanoiic, tmp_path: Path):
    sql = 'SELECT "bí mật" FROM secret'
    file = tmp_path / "token"
    file.write_text(STARTUP + "\n")
    for environ in ({"HANOIIC_TOKEN_FILE": str(file)}, {"HANOIIC_TOKEN": STARTUP}):
        assert "SECRET-VALUE-7411" in hanoiic(sql, **environ).stdout
    refused = hanoiic(sql)
    assert refused.returncode == 1
    assert "[gateway_refused]" in refused.stderr
    assert "ask for access: https://portal.test/dataset/x#access" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("SELECT 'Đống' FROM FROM",), 1, "  SELECT 'Đống' FROM FROM\n                     ^"),
        (("SELECT frobnicate(1)",), 1, "function_not_allowed"),
        (("SELECT 1", "-o", "x.doc"), 1, "[output_refused]"),
        (("SELECT 1", "-o", "/nowhere/x.csv"), 1, "[output_refused]"),
        (("SELECT 1", "--format", "doc"), 2, "invalid choice"),
        (("SELECT ? AS x", "-p", "NaN"), 1, "[parameter_refused]"),
        (("SELECT $x AS x", "-p", "x=-1e999"), 1, "-1e999 can't be sent as a number"),
        (("SELECT 1", "--url", "http://127.0.0.1:9"), 1, "[gateway_unreachable]"),
    ],
)
def test_what_goes_wrong_is_said_in_words(hanoiic, arguments, exit_code, said):
    done = hanoiic(*arguments)
    assert done.returncode == exit_code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
