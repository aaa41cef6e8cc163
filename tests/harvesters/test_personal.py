"""The personal-data gate: what is held, what is not, and that nothing shown is a value."""

from __future__ import annotations

from itertools import cycle, islice

import pytest

from deploy.departments import agriculture, environment, health, offers, planning, transport
from harvesters import personal, personal_rules
from harvesters.connectors import CONNECTORS
from harvesters.normalise import normalise
from harvesters.rawtable import RawColumn, RawTable, batches_of_rows, text_schema
from harvesters.source import Options
from harvesters.workbench import Workbench

NAMES = ["Nguyễn Văn An", "Trần Thị Bích Ngọc", "Lê Hoàng Minh", "Phạm Thu Hà", "Vũ Đức Long"]
CITIZENS = ["001085012345", "001185067890", "038201000123", "079300111222", "034099456789"]
MOBILES = ["0912345678", "098 765 4321", "+84 90 123 4567", "0356.789.012", "0708123456"]
MAILS = ["an.nguyen@gmail.com", "bich.ngoc88@yahoo.com.vn", "minh_lh@outlook.com"]


def found(columns: dict[str, list], /, **options) -> dict[str, str]:
    """The kind that each column is held for."""
    return {finding.column: finding.kind for finding in findings(columns, **options)}


def findings(columns: dict[str, list], /, **options):
    pinned = Options.of(options)
    length = max(map(len, columns.values()))
    filled = [list(islice(cycle(values), length)) for values in columns.values()]
    with Workbench() as bench:
        numbered = enumerate(zip(*filled, strict=True), start=2)
        name = bench.load(text_schema(len(columns)), batches_of_rows(numbered, len(columns)))
        raw = RawTable(name, [RawColumn(f"c{i}", header) for i, header in enumerate(columns)])
        return personal.find(normalise(raw, pinned, bench), bench)


@pytest.mark.parametrize(
    ("header", "values", "kind"),
    [
        ("Số CCCD", CITIZENS, "citizen_id"),
        ("so_cmnd", ["012345678", "111222333"], "citizen_id"),
        ("CMND", ["212345678", "111222333"], "citizen_id"),
        ("ghi chú", CITIZENS, "citizen_id"),
        ("Số định danh", ["1085012345", "1185067890"], "citizen_id"),
        ("SĐT", MOBILES, "phone"),
        ("phoneNumber", MOBILES, "phone"),
        ("Điện thoại", ["912345678", "356789012"], "phone"),
        ("Điện thoại bàn", ["024 3825 1234", "(024) 38251234", "0243.825.1234"], "phone"),
        ("x", MOBILES, "phone"),
        ("x", ["+84912345678", "+84356789012"], "phone"),
        ("Ghi chú", [*["đã xử lý"] * 20, *(f"gọi anh Ba {one}" for one in MOBILES)], "phone"),
        ("Ghi chú", [*["đã cấp"] * 20, *(f"CCCD {one}" for one in CITIZENS)], "citizen_id"),
        ("Giấy tờ", ["001 085 012 345", "001.185.067.890"], "citizen_id"),
        ("x", ["(091) 2345678", "+84 (0)912 345 678", "0084912345678"], "phone"),
        ("x", [*MOBILES * 4, "không có", "đã cắt", "chưa rõ"], "phone"),
        ("Liên hệ", ["912345678", "356789012"], "phone"),
        ("Liên hệ", [*MOBILES, *MAILS], "phone"),
        ("Email", MAILS, "email"),
        ("x", [*MAILS, *["chưa có"] * 5], "email"),
        ("liên hệ", [f"Gửi về {mail} nhé" for mail in MAILS], "email"),
        ("Biển số", ["29A-123.45", "30F-678.90", "29-X1 234.56", "80A-001.23"], "licence_plate"),
        ("Biển kiểm soát", ["29A12345", "51G67890"], "licence_plate"),
        ("Nơi thường trú", ["Số 12 ngõ 34 phố Huế", "15/7 Lê Lợi"], "address"),
        ("Số tài khoản", ["0011001234567", "19034567890123"], "bank_account"),
        ("STK", ["102010001234567", "711A12345678"], "bank_account"),
        ("Họ và tên", NAMES, "person_name"),
        ("ten", NAMES, "person_name"),
        ("HO TEN", ["NGUYEN VAN AN", "TRAN THI BICH"], "person_name"),
        ("Chủ hộ", [f"Ông {name}" for name in NAMES], "person_name"),
        ("Đối tượng", [f"{name}, sinh 12/03/1985, trú tại X" for name in NAMES], "person_name"),
        ("x", [f"{name} (1985)" for name in NAMES], "person_name"),
        ("Ghi chú", [f"{name} - 01/02/1990" for name in NAMES], "person_name"),
    ],
)
def test_a_kind_of_personal_data_is_found(header, values, kind):
    assert found({header: values, "Số lượng": ["1", "2", "3"]}) == {header: kind}


def test_a_date_of_birth_is_personal_beside_a_name_only():
    born = ["31/12/1985", "01/02/1990"]
    assert found({"Ngày sinh": born, "Lớp": ["1A", "1B"]}) == {}
    both = found({"Ngày sinh": born, "Họ tên": NAMES})
    assert both == {"Ngày sinh": "birth_date", "Họ tên": "person_name"}
    assert found({"Năm sinh": ["1985", "1990"], "Họ tên": NAMES})["Năm sinh"] == "birth_date"


def test_a_masked_name_still_makes_the_date_beside_it_one_of_birth():
    columns = {"Ngày sinh": ["31/12/1985", "01/02/1990"], "Họ tên": NAMES}
    masked = found(columns, columns={"Họ tên": {"mask": "hash"}})
    assert masked == {"Ngày sinh": "birth_date"}


def test_an_address_with_house_numbers_is_personal_unless_it_is_where_something_public_is():
    homes = ["Số 12 ngõ 34 phố Huế", "15/7 đường Lê Lợi"]
    assert found({"Địa chỉ": homes, "Họ tên": NAMES})["Địa chỉ"] == "address"
    assert found({"Địa chỉ": homes, "Diện tích": ["30", "40"]}) == {"Địa chỉ": "address"}
    assert found({"Địa chỉ": ["phố Huế", "đường Lê Lợi"], "Diện tích": ["30", "40"]}) == {}
    for place in ("Tên trạm", "Chợ", "Công trình"):
        assert found({"Địa chỉ": homes, place: ["Kim Mã", "Nghĩa Tân"]}) == {}


@pytest.mark.parametrize(
    "columns",
    [
        {"Tên bệnh viện": ["Bệnh viện Bạch Mai"], "Điện thoại": ["02438693731"]},
        {"name": ["Trường THCS Nguyễn Du", "Trường Chu Văn An"], "Điện thoại": MOBILES},
        {"Công ty": ["ABC"], "Email": MAILS, "Địa chỉ": ["Số 1 phố Huế"]},
        {"đường": ["Lý Thường Kiệt", "Trần Hưng Đạo", "Nguyễn Trãi"]},
        {"Tên đường": NAMES, "dài (m)": ["100"]},
        {"Hotline": MOBILES, "Tuyến": ["01", "02"]},
        {"Đơn vị": ["Sở Y tế"], "email": ["vanthu@hanoi.gov.vn", "info@soyt.hanoi.gov.vn"]},
        {"mã": ["738814284", "912345678"], "giá": ["100200300", "356789012"]},
        {"mã vạch": ["8934563138165", "8936017361129"]},
        {"mã trạm": ["100000000001", "999999999999", "555123456789"]},
        {"kinh độ": ["105.8342", "105.912345678"], "vĩ độ": ["21.0285", "21.0912345678"]},
        {"Ngày": ["31/12/2024", "01/02/2025"], "Tên hồ": ["Hồ Tây", "Hồ Gươm", "Đồng Quan"]},
        {"mã sản phẩm": ["29A-123.45", "30F-678.90"]},
        {"phường": ["Trần Phú", "Lê Đại Hành", "Nguyễn Du", "Phạm Đình Hổ"]},
        {"tên lễ hội": ["Lễ hội Gióng 2024", "Hội Lim 2023"], "số": ["1", "2"]},
        {"biến số": ["nhiệt độ", "độ ẩm"], "trị số": ["1", "2"]},
        {"môi trường": ["tốt", "xấu"], "số": ["12", "13"]},
    ],
)
def test_what_is_no_personal_data_is_not_held(columns):
    assert found(columns) == {}


def test_a_contact_of_an_organisation_is_held_beside_people():
    columns = {"Tên trường": ["Trường THCS Nguyễn Du"], "Hiệu trưởng": NAMES, "SĐT": MOBILES}
    assert found(columns) == {"Hiệu trưởng": "person_name", "SĐT": "phone"}


def test_examples_are_shortened_and_counts_are_of_the_whole_column():
    rows = 20_000
    cells = ["không"] * rows
    cells[::2] = [f"09{number:08d}" for number in range(rows // 2)]
    (finding,) = findings({"Số điện thoại": cells, "k": [str(n) for n in range(rows)]})
    assert (finding.matched_count, finding.row_count) == (rows // 2, rows)
    assert finding.examples
    assert all(len(example) == 6 and example.endswith("***") for example in finding.examples)


def test_the_rules_are_dated_and_complete():
    rules = personal_rules.latest()
    assert rules.date == "2026-01-01"
    assert {kind.name for kind in rules.kinds} == {
        *("citizen_id", "phone", "email", "licence_plate", "address", "bank_account"),
        *("birth_date", "person_name"),
    }


def held(path, kind, options=None) -> set[str]:
    with Workbench() as bench:
        asked = options or Options()
        return {
            finding.column
            for raw in CONNECTORS[kind].decode(path, asked, bench)
            for finding in personal.find(normalise(raw, asked, bench), bench)
        }


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("pattern", "kind", "count"),
    [("**/*.csv", "csv", 8), ("**/*.xls*", "excel", 4), ("**/*.geojson", "geojson", 2)],
)
def test_no_file_of_the_real_data_is_held(data, pattern, kind, count):
    paths = sorted(data.glob(pattern))
    assert len(paths) >= count
    assert {path.name: held(path, kind) for path in paths} == {path.name: set() for path in paths}


@pytest.mark.realdata
def test_public_hospitals_are_not_held_and_a_catalogues_mailboxes_are(data):
    assert held(data / "health/hanoi-hospitals-overpass.json", "json") == set()
    path = data / "catalogues/ckan-package_search-birmingham.json"
    assert "maintainer_email" in held(path, "json")


@pytest.mark.parametrize("module", [agriculture, environment, health, planning, transport])
def test_the_demo_departments_are_not_held(module, tmp_path):
    department = next(
        value for value in vars(module).values() if isinstance(value, offers.Department)
    )
    assert department.offers
    for offer in department.offers:
        path = tmp_path / "file"
        path.write_bytes(offer.make(1))
        pinned = Options.of(offer.registration.get("options", {}))
        assert held(path, offer.kind, pinned) == set()
