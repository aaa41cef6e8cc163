"""All rejected rows go to the portal, and a portal that will not have them ends no run."""

from __future__ import annotations

import gzip
import io
import json

from harvesters import rejections
from harvesters.errors import PortalUnavailable
from harvesters.rejections import hand_over
from harvesters.report import Report
from lake.rejected import Rejected


class PortalDouble:
    """Keeps what is put, or is away."""

    def __init__(self, away: bool = False) -> None:
        self.away = away
        self.lines: list[dict[str, object]] = []

    def put(self, action, file, **data):
        if self.away:
            raise PortalUnavailable("The portal does not answer.")
        assert (action, data) == ("hanoiic_rejected_put", {"run_id": "r1", "table": "t"})
        text = gzip.decompress(file.read()).decode()
        self.lines = [json.loads(line) for line in text.splitlines()]


def rows(count):
    return (Rejected(row, "Tên", "x" * 5_000, "required", "is empty") for row in range(count))


def test_every_row_is_handed_over_with_its_table():
    portal = PortalDouble()
    hand_over(portal, "r1", "t", rows(3_000))
    assert len(portal.lines) == 3_000
    last = portal.lines[-1]
    assert (last["table"], last["row"], last["column"]) == ("t", 2_999, "Tên")
    assert len(last["value"]) == rejections.VALUE_LONGEST


def test_not_more_than_the_limit(monkeypatch):
    monkeypatch.setattr(rejections, "KEPT_ROWS", 7)
    file = io.BytesIO()
    rejections.write(file, "t", rows(10))
    assert len(gzip.decompress(file.getvalue()).splitlines()) == 7


def test_a_portal_that_is_away_is_no_error_of_the_run(caplog):
    hand_over(PortalDouble(away=True), "r1", "t", rows(1))
    assert "rejected_not_kept" in caplog.text


def test_a_report_without_a_place_for_them_keeps_the_first_only():
    report = Report()
    report.keep_rejected("t", rows(1))
    report.add_rejected("t", rows(200))
    assert len(report.rejected) == 100
