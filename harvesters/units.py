"""Units of measure that headers carry: `PM2.5 (µg/m³)`, `Diện tích(*) (Km2)`."""

from __future__ import annotations

import re

_SINGLE = """
    m m2 m² m3 m³ km km2 km² ha cm mm μm µm mg g kg t tấn ton tons tonne tonnes tạ yến μg µg ug
    s sec min h hr hour giờ phút giây ngày day days tháng month y yr year năm quý
    % ‰ °C °F ℃ C K °  độ Pa hPa kPa mb W kW MW kWh MWh GWh J V A Hz dB dBA ppm ppb
    lux l lít lit ml mL
    km/h m/s người people persons hộ households con cái chiếc cơ sở trường lớp
    giường xe lượt chuyến
    VND VNĐ đồng USD EUR đ tỷ triệu nghìn ngàn trăm thousand
    million billion mil k dwt teu
""".split()  # noqa: SIM905
_KNOWN = {word.casefold() for word in _SINGLE}
_BRACKETS = re.compile(r"[(\[]([^()\[\]]{1,30})[)\]]\s*$")
_MAGNITUDES = {"nghìn", "ngàn", "triệu", "tỷ", "trăm", "thousand", "million", "billion", "1000"}


def of(header: str) -> str | None:
    """The unit in a header's last brackets, as written; None when that is no known unit."""
    match = _BRACKETS.search(header)
    if match is None:
        return None
    text = match[1].strip()
    return text if is_unit(text) else None


def is_unit(text: str) -> bool:
    parts = re.split("[/.·]", text.casefold())
    return all(_is_factor(part.strip()) for part in parts)


def _is_factor(text: str) -> bool:
    if text in _KNOWN:
        return True
    words = text.split()
    return len(words) > 1 and all(word in _KNOWN or word in _MAGNITUDES for word in words)
