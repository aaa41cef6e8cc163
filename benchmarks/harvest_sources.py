"""What `harvest.py` harvests: a long CSV as a department would write it, and a catalogue of many
small ones behind a server that answers as CKAN does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb

ROWS_EACH = 30
STREETS = (
    "Trần Hưng Đạo",
    "Nguyễn Trãi",
    "Lê Duẩn",
    "Phố Huế",
    "Giải Phóng",
    "Đường Láng",
    "Kim Mã",
)
WARDS = ("Hoàn Kiếm", "Cửa Nam", "Ba Đình", "Ngọc Hà", "Đống Đa", "Kim Liên", "Tây Hồ", "Long Biên")
NOTES = (
    "Thiết bị hoạt động bình thường",
    "Mất tín hiệu, đã báo đội kỹ thuật",
    "Đang bảo trì định kỳ",
)


def write_csv(path: Path, row_count: int) -> None:
    """Eight columns: a number, a code with leading zeros, a date, a time, a Vietnamese text with
    commas, a decimal, an integer that is sometimes empty, a text that mostly is. About 108 bytes a
    row, the same for the same count."""

    def one_of(words: tuple[str, ...], salt: int) -> str:
        return f"{list(words)}[CAST(1 + hash(i + {salt}) % {len(words)} AS INTEGER)]"

    with duckdb.connect() as connection:
        connection.execute(
            f"""
            COPY (SELECT
                i + 1 AS "Mã bản ghi",
                lpad(CAST(hash(i) % 90000 AS VARCHAR), 5, '0') AS "Mã trạm",
                DATE '2019-01-01' + CAST(i // 4500 AS INTEGER) AS "Ngày đo",
                TIMESTAMP '2019-01-01' + INTERVAL 1 MINUTE * CAST(i // 3 AS INTEGER) AS "Thời điểm",
                'Trạm ' || (hash(i + 7) % 400)::VARCHAR || ' ' || {one_of(STREETS, 1)}
                    || ', ' || {one_of(WARDS, 2)} AS "Vị trí",
                CAST((hash(i + 3) % 200000) / 100.0 AS DECIMAL(9, 2)) AS "PM2.5 (µg/m³)",
                CASE WHEN hash(i + 4) % 17 <> 0 THEN hash(i + 4) % 5000 END AS "Lượt xe",
                CASE WHEN hash(i + 5) % 3 = 0 THEN {one_of(NOTES, 6)} END AS "Ghi chú"
            FROM range({int(row_count)}) t(i)) TO '{path}' (HEADER)
            """
        )


def small_csv(number: int) -> bytes:
    """The file of one dataset."""
    lines = [
        f"{row:05},Điểm {number}-{row},2024-01-{row % 28 + 1:02},{row * number % 977}.5"
        for row in range(ROWS_EACH)
    ]
    return "\n".join(["Mã,Tên điểm,Ngày,Giá trị", *lines, ""]).encode()


@contextmanager
def catalogue(dataset_count: int, *, with_files: bool) -> Iterator[str]:
    """A server with so many datasets, each with a small CSV or with a link; its address."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.endswith("/package_search"):
                asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
                start, rows = int(asked["start"]), int(asked["rows"])
                last = min(dataset_count, start + rows)
                found = [
                    _package(number, self.server.server_port, with_files)
                    for number in range(start, last)
                ]
                result = {"count": dataset_count, "results": found}
                self._say(json.dumps({"success": True, "result": result}).encode(), "")
                return
            number = int(parts.path.rpartition("/")[2].removesuffix(".csv"))
            self._say(small_csv(number), _etag(number))

        def _say(self, body: bytes, etag: str) -> None:
            unchanged = bool(etag) and self.headers.get("If-None-Match") == etag
            self.send_response(304 if unchanged else 200)
            if etag:
                self.send_header("ETag", etag)
            self.send_header("Content-Length", "0" if unchanged else str(len(body)))
            self.end_headers()
            if not unchanged:
                self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: a line for each request would take longer than the answer."""

    with _serving(Answers) as port:
        yield f"http://127.0.0.1:{port}/"


def file_of(catalogue: str, number: int) -> tuple[str, str]:
    """Address and ETag of the file of a catalogue's dataset."""
    return f"{catalogue}data/{number}.csv", _etag(number)


@contextmanager
def served(file: Path) -> Iterator[str]:
    """A server that has one file; the file's address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            with file.open("rb") as content:
                self.connection.sendfile(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing."""

    with _serving(Answers) as port:
        yield f"http://127.0.0.1:{port}/{file.name}"


@contextmanager
def _serving(answers: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _etag(number: int) -> str:
    return f'"{number}"'


def _package(number: int, port: int, with_file: bool) -> dict[str, Any]:
    address = f"http://127.0.0.1:{port}/data/{number}.csv"
    form = "CSV" if with_file else "API"
    return {
        "id": f"goc-{number}",
        "name": f"bo-du-lieu-{number}",
        "title": f"Bộ dữ liệu đo đạc số {number}",
        "notes": "Số liệu đo tại các điểm, cập nhật hằng ngày.",
        "license_id": "cc-by",
        "tags": [{"name": "quan-trac"}],
        "resources": [{"id": f"r-{number}", "name": "Số liệu", "format": form, "url": address}],
    }
