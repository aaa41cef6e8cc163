"""Settings: from dataclass, environment and file to values, or to a sentence that helps."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from lake.errors import BadSetting, MissingSetting, SecretMissing, UnknownSetting
from lake.settings import Row, load, read_env_file, read_secret, rows, setting


@dataclass(frozen=True)
class Settings:
    lake_root: Path = setting(doc="Folder of the lake.")
    timeout_s: float = setting(30.0, doc="Longest query.", least=0.1)
    workers: int = setting(2, doc="Worker processes.")
    weak: bool = setting(False, doc="Start without a sandbox.", name="ALLOW_WEAK_SANDBOX")
    hosts: tuple[str, ...] = setting((), doc="Hosts that may be private.")
    url: str | None = setting(None, doc="Public address.")
    share: float = setting(0.2, doc="Most that may go.", most=1)


ROOT = {"HANOIIC_LAKE_ROOT": "/lake"}


def test_defaults_and_values_of_every_type():
    assert load(Settings, ROOT) == Settings(Path("/lake"))
    loaded = load(
        Settings,
        {
            **ROOT,
            "HANOIIC_TIMEOUT_S": "0.5",
            "HANOIIC_WORKERS": "8",
            "HANOIIC_ALLOW_WEAK_SANDBOX": "Yes",
            "HANOIIC_HOSTS": "localhost:8080, 10.0.0.1,",
            "HANOIIC_URL": "https://data.example",
            "PATH": "/bin",
        },
    )
    assert loaded == Settings(
        Path("/lake"), 0.5, 8, True, ("localhost:8080", "10.0.0.1"), "https://data.example"
    )


def test_an_unknown_name_is_refused_with_the_one_that_was_meant():
    with pytest.raises(UnknownSetting) as refused:
        load(Settings, {**ROOT, "HANOIIC_TIMEOUT": "3", "HANOIIC_ZZZ": "1"})
    assert refused.value.code == "unknown_setting"
    assert refused.value.facts["unknown"] == ["HANOIIC_TIMEOUT", "HANOIIC_ZZZ"]
    assert "did you mean HANOIIC_TIMEOUT_S?" in str(refused.value)
    assert all(row.name in str(refused.value) for row in rows(Settings))


def test_what_a_shell_exports_for_the_launcher_stops_no_room(tmp_path):
    environ = {"HANOIIC_LAKE_ROOT": "/lake", "HANOIIC_PORTAL_PORT": "5001"}
    assert load(Settings, environ).lake_root == Path("/lake")
    file = tmp_path / "room.env"
    file.write_text("HANOIIC_PORTAL_PORT=5001\n")
    with pytest.raises(UnknownSetting):
        load(Settings, environ, home_file=file)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIMEOUT_S", "soon"), ("WORKERS", "2.5"), ("ALLOW_WEAK_SANDBOX", "perhaps")],
)
def test_a_bad_value_is_refused_without_showing_it(name, value):
    with pytest.raises(BadSetting) as refused:
        load(Settings, {**ROOT, f"HANOIIC_{name}": value})
    assert f"HANOIIC_{name}" in str(refused.value)
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        ("WORKERS", "-1", "at least 0"),
        ("TIMEOUT_S", "nan", "at least 0.1"),
        ("TIMEOUT_S", "inf", "at least 0.1"),
        ("TIMEOUT_S", "0", "at least 0.1"),
        ("SHARE", "20", "from 0 to 1"),
    ],
)
def test_a_number_that_would_only_harm_later_is_refused(name, value, bounds):
    with pytest.raises(BadSetting, match=f"HANOIIC_{name} must be {bounds}"):
        load(Settings, {**ROOT, f"HANOIIC_{name}": value})


@pytest.mark.parametrize("environ", [{}, {"HANOIIC_LAKE_ROOT": ""}])
def test_a_setting_without_default_must_be_set(environ):
    with pytest.raises(MissingSetting, match="HANOIIC_LAKE_ROOT is not set: Folder of the lake"):
        load(Settings, environ)


def test_the_home_file_lies_under_the_environment(tmp_path):
    file = tmp_path / "gateway.env"
    file.write_text("# made by the launcher\n\nHANOIIC_LAKE_ROOT=/a=b\nHANOIIC_WORKERS=4\nTZ=UTC\n")
    loaded = load(Settings, {"HANOIIC_WORKERS": "5", "HANOIIC_HOME": str(tmp_path)}, home_file=file)
    assert (loaded.lake_root, loaded.workers) == (Path("/a=b"), 5)
    assert load(Settings, ROOT, home_file=tmp_path / "absent.env") == Settings(Path("/lake"))


def test_a_home_file_that_is_not_there_is_named_with_what_is_missing(tmp_path):
    with pytest.raises(MissingSetting, match=r"There is no .*absent\.env either; HANOIIC_HOME"):
        load(Settings, {}, home_file=tmp_path / "absent.env")


def test_an_unknown_name_in_the_home_file_is_refused(tmp_path):
    file = tmp_path / "gateway.env"
    file.write_text("HANOIIC_LAKE_ROOT=/lake\nHANOIIC_WORKER=4\n")
    with pytest.raises(UnknownSetting, match="HANOIIC_WORKERS"):
        load(Settings, {}, home_file=file)


def test_a_line_that_is_no_setting_is_named_by_its_number(tmp_path):
    file = tmp_path / "x.env"
    file.write_text("A=1\nsecret\n")
    with pytest.raises(BadSetting, match=r"x\.env:2") as refused:
        read_env_file(file)
    assert "secret" not in str(refused.value)


def test_rows_are_the_documentation_of_the_fields():
    described = rows(Settings)
    assert len(described) == len(fields(Settings))
    assert described[0] == Row("HANOIIC_LAKE_ROOT", "path", None, "Folder of the lake.")
    assert described[3] == Row(
        "HANOIIC_ALLOW_WEAK_SANDBOX", "yes or no", "no", "Start without a sandbox."
    )


def test_a_secret_is_its_file_without_the_line_end(tmp_path, caplog):
    file = tmp_path / "credential"
    file.write_text("s3cret \n")
    file.chmod(0o600)
    with caplog.at_level(logging.WARNING):
        assert read_secret(file) == "s3cret "
    assert not caplog.records


def test_a_secret_that_others_may_read_is_used_with_a_warning(tmp_path, caplog):
    file = tmp_path / "credential"
    file.write_text("s3cret")
    file.chmod(0o640)
    with caplog.at_level(logging.WARNING):
        assert read_secret(file) == "s3cret"
    (record,) = caplog.records
    assert record.getMessage() == "secret_file_readable_by_others"
    assert record.facts == {"path": str(file)}


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_secret_that_is_not_there_is_an_error_without_content(tmp_path, content):
    file = tmp_path / "credential"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SecretMissing, match="credential"):
        read_secret(file)
