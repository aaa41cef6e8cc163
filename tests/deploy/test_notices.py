"""The file of settings for notices: what it may say, and that it repeats nothing secret."""

from __future__ import annotations

import pytest

from deploy import notices
from deploy.ckan_ini import CkanIni
from deploy.errors import NoticesUnreadable
from deploy.home import Home


def test_lines_become_settings_of_the_portal(tmp_path):
    file = tmp_path / "notices"
    file.write_text("# thư\nsmtp.server = mail.example.vn:587\n\nsmtp.password=a=b%c\n", "utf-8")
    said = notices.read(file)
    assert said == {"smtp.server": "mail.example.vn:587", "smtp.password": "a=b%c"}
    home = Home(tmp_path / "home")
    home.create()
    CkanIni.of(
        home,
        database_url="d",
        redis_url="r",
        site_url="http://localhost:5000",
        gateway_url="g",
        gateway_internal_url="i",
        notices=said,
    ).write(home.ckan_ini)
    assert "smtp.password = a=b%%c\n" in home.ckan_ini.read_text("utf-8")


@pytest.mark.parametrize("line", ["SECRET_KEY = mine", "smtp.password hush", "ckan.plugins ="])
def test_other_settings_are_refused_without_repeating_the_line(tmp_path, line):
    file = tmp_path / "notices"
    file.write_text(line, "utf-8")
    with pytest.raises(NoticesUnreadable) as refused:
        notices.read(file)
    assert "Line 1" in str(refused.value)
    assert "mine" not in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path):
    with pytest.raises(NoticesUnreadable):
        notices.read(tmp_path / "nowhere")


def test_without_a_file_nothing_is_set():
    assert notices.read(None) == {}
