"""The three Vietnamese encodings from before Unicode, as tables. State: 2026-11.

A document in them has its letters at Latin-1's places, and a font shows them. TCVN3 (ABC, fonts
`.Vn…`) is TCVN 5712:1993 without its control characters; VISCII is RFC 1456; VNI (fonts `VNI-…`)
writes a vowel and then a second sign for its marks.
"""

from __future__ import annotations

_TCVN3_LOWER = {
    "¸µ¶·¹": "áàảãạ",
    "¨¾»¼½Æ": "ăắằẳẵặ",
    "©ÊÇÈÉË": "âấầẩẫậ",
    "®": "đ",
    "ÐÌÎÏÑ": "éèẻẽẹ",
    "ªÕÒÓÔÖ": "êếềểễệ",
    "Ý×ØÜÞ": "íìỉĩị",
    "ãßáâä": "óòỏõọ",
    "«èåæçé": "ôốồổỗộ",
    "¬íêëìî": "ơớờởỡợ",
    "óïñòô": "úùủũụ",
    "\u00adøõö÷ù": "ưứừửữự",
    "ýúûüþ": "ýỳỷỹỵ",
    # What word processors made of the sign for ã, and the other letter eth for đ.
    "∙": "ã",
}
_TCVN3_UPPER = {
    "¡¢£¤¥¦§": "ĂÂÊÔƠƯĐ",
}
# Capitals with tones are of the standard, and in no font: fonts of capitals stand in for them.
_TCVN3_RARE = {
    "¯ºÀ¿": "ẰẲẮẴ",
    "ÁÂÃÄ": "ẦẨẪẤ",
    "ÅÍÙÚ": "ỀỂỄẾ",
    "Ûàðÿ": "ỒỔỖỐ",
}
_VISCII = {
    "¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²": "ắằặấầẩậẽẹếềểễệốồổỗ",
    "³´µ¶·¸¹º»¼½¾¿": "ỠƠộờởịỰỨỪỬơớƯ",
    "ÄÅÆÇËÎÏÐÑÕÖ×ØÛÜÞß": "ẢĂẳẵẺĨỳĐứạỷừửỹỵỡư",
    "äåæçëîïðñö÷øûüþÿ\u00a0": "ảăữẫẻĩỉđựỏọụũủợỮÕ",
    "\x02\x05\x06\x14\x19\x1e": "ẲẴẪỶỸỴ",
}
# The capitals at 0x80 to 0x9F.
_VISCII_HIGH = "ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲ"

# The second sign of a VNI vowel; `ô` and `ö` are ơ and ư there.
_VNI_TONES = "ùøûõï"
_VNI_PAIRS = {
    "a": {"êéèúüë": "ăắằẳẵặ", "âáàåãä": "âấầẩẫậ", _VNI_TONES: "áàảãạ"},
    "e": {"âáàåãä": "êếềểễệ", _VNI_TONES: "éèẻẽẹ"},
    "o": {"âáàåãä": "ôốồổỗộ", _VNI_TONES: "óòỏõọ"},
    "u": {_VNI_TONES: "úùủũụ"},
    "y": {_VNI_TONES: "ýỳỷỹỵ"},
    "ô": {_VNI_TONES: "ớờởỡợ"},
    "ö": {_VNI_TONES: "ứừửữự"},
}
_VNI_SINGLE = {"ñôöæóòî": "đơưỉĩịỵ"}


def _flat(rows: dict[str, str]) -> dict[str, str]:
    return {
        sign: letter
        for signs, letters in rows.items()
        for sign, letter in zip(signs, letters, strict=True)
    }


def _windows(place: int) -> str:
    return bytes([place]).decode("cp1252", errors="replace")


def _viscii() -> dict[str, str]:
    table = _flat(_VISCII)
    for place, letter in enumerate(_VISCII_HIGH, 0x80):
        table[chr(place)] = letter
        # The same byte, when Windows-1252 was taken for what it is.
        if _windows(place) != "\ufffd":
            table[_windows(place)] = letter
    return table


def _vni() -> dict[str, str]:
    table = _flat(_VNI_SINGLE)
    table |= {sign.upper(): letter.upper() for sign, letter in table.items()}
    for base, rows in _VNI_PAIRS.items():
        for sign, letter in _flat(rows).items():
            for second in (sign, sign.upper()):
                table[base + second] = letter
                table[base.upper() + second] = letter.upper()
    return table


TCVN3: dict[str, str] = _flat(_TCVN3_LOWER) | _flat(_TCVN3_UPPER) | _flat(_TCVN3_RARE)
TCVN3_RARE = frozenset(_flat(_TCVN3_RARE))
TCVN3_LOWER = frozenset(_flat(_TCVN3_LOWER))
VISCII: dict[str, str] = _viscii()
VNI: dict[str, str] = _vni()
