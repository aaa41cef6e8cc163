"""Vietnamese from before Unicode: found by its spelling, repaired, and nothing else touched."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from functools import cache

import pytest
from babel import Locale
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harvesters import legacy
from harvesters.legacy_alphabets import ALPHABETS
from harvesters.legacy_tables import TCVN3_RARE
from harvesters.syllables import is_syllable

WESTERN = ("fr", "pt", "de", "en", "es", "it", "sv", "da", "nb", "fi", "is", "nl", "ca", "hu", "cs")
FAMOUS = (
    "Hà Nội",
    "Cộng hòa xã hội chủ nghĩa Việt Nam",
    "Độc lập - Tự do - Hạnh phúc",
    "Quận Hoàn Kiếm, phường Hàng Trống",
    "Nguyễn Thị Kỷ",
    "Số dự án đầu tư trực tiếp nước ngoài",
    "tỷ lệ (%)",
    "huyện Cần Giờ",
    "Thừa Thiên - Huế",
    "Đắk Lắk",
    "quỹ tín dụng",
)
TONES = "\u0300\u0309\u0303\u0301\u0323"
encodings = st.sampled_from(sorted(ALPHABETS))


@cache
def words_of(language: str) -> tuple[str, ...]:
    """Names of countries and languages as a language writes them."""
    locale = Locale.parse(language)
    words = {*locale.territories.values(), *locale.languages.values()}
    return tuple(sorted(unicodedata.normalize("NFC", word) for word in words))


@cache
def vietnamese() -> tuple[str, ...]:
    """Vietnamese texts whose every marked word is Vietnamese (no Curaçao)."""
    texts = [
        text
        for text in words_of("vi")
        if all(word.isascii() or is_syllable(word) for word in re.findall(r"[^\W\d_]+", text))
        and not any(unicodedata.category(sign) == "Lm" or sign in "’ʼ" for sign in text)
    ]
    return (*FAMOUS, *texts)


def encoded(text: str, encoding: str) -> str:
    """A Unicode text as a workbook of those days holds it."""
    table = ALPHABETS[encoding].table
    signs: dict[str, str] = {}
    for sign, letter in table.items():
        if encoding != "tcvn3" or sign not in TCVN3_RARE:
            signs.setdefault(letter, sign)
    if encoding == "tcvn3":
        # Its fonts have no capitals with tones.
        signs |= {letter.upper(): sign for letter, sign in signs.items() if letter.islower()} | {
            letter: sign for letter, sign in signs.items() if letter.isupper()
        }
    return "".join(signs.get(letter, letter) for letter in text)


def distinct_words_hidden(texts: list[str], hidden: list[str]) -> int:
    return len(set(" ".join(hidden).split()) - set(" ".join(texts).split()))


def has_tone_on_capital(text: str) -> bool:
    return any(
        letter.isupper()
        and letter in "ÁÀẢÃẠẮẰẲẴẶẤẦẨẪẬÉÈẺẼẸẾỀỂỄỆÍÌỈĨỊÓÒỎÕỌỐỒỔỖỘỚỜỞỠỢÚÙỦŨỤỨỪỬỮỰÝỲỶỸỴ"
        for letter in text
    )


@pytest.mark.parametrize(
    ("encoding", "hidden", "text"),
    [
        ("tcvn3", "®Çu t\u00ad trùc tiÕp n\u00adíc ngoµi", "đầu tư trực tiếp nước ngoài"),
        ("tcvn3", "Céng hoµ x· héi chñ nghÜa ViÖt Nam", "Cộng hoà xã hội chủ nghĩa Việt Nam"),
        ("tcvn3", "UBND TØNH H¶I D¦¥NG", "UBND TỈNH HẢI DƯƠNG"),
        ("vni", "ÑVT : 1000 ñoàng, naêm", "ĐVT : 1000 đồng, năm"),
        ("vni", "UBND THAØNH PHOÁ HAÛI PHOØNG", "UBND THÀNH PHỐ HẢI PHÒNG"),
        ("vni", "höôûng theo tyû leä, quyõ, kòp", "hưởng theo tỷ lệ, quỹ, kịp"),
        ("viscii", "Cµng hòa xã hµi chü nghîa Vi®t Nam", "Cộng hòa xã hội chủ nghĩa Việt Nam"),
    ],
)
def test_what_the_fonts_showed(encoding, hidden, text):
    found = legacy.detect([hidden])
    assert found is not None
    assert found.encoding == encoding
    assert found.confidence >= legacy.LEAST_CONFIDENCE
    assert legacy.repair(hidden, encoding) == text
    assert unicodedata.is_normalized("NFC", text)


@settings(deadline=None)
@given(st.data(), encodings)
def test_a_column_of_vietnamese_comes_back(data, encoding):
    texts = data.draw(st.lists(st.sampled_from(vietnamese()), min_size=8, max_size=40, unique=True))
    if encoding == "tcvn3":
        texts = [text for text in texts if not has_tone_on_capital(text)]
    hidden = [encoded(text, encoding) for text in texts]
    assume(distinct_words_hidden(texts, hidden) >= 8)
    found = legacy.detect(hidden)
    assert found is not None
    assert found.encoding == encoding
    assert [legacy.repair(old, encoding) for old in hidden] == texts


@settings(deadline=None)
@given(st.lists(st.sampled_from(vietnamese()), min_size=10, max_size=30, unique=True), encodings)
def test_a_column_in_capitals_comes_back(texts, encoding):
    texts = [text.upper() for text in texts]
    hidden = [encoded(text, encoding) for text in texts]
    assume(distinct_words_hidden(texts, hidden) >= 8)
    found = legacy.detect(hidden)
    assert found is not None
    assert found.encoding == encoding
    repaired = [legacy.repair(old, encoding) for old in hidden]
    # A font of capitals can't be told where no letter follows a small one: `Hµ` is Hà or HÀ.
    assert [text.upper() for text in repaired] == texts


@settings(deadline=None, max_examples=300)
@given(st.data(), st.sampled_from(WESTERN))
def test_other_languages_are_never_touched(data, language):
    texts = data.draw(st.lists(st.sampled_from(words_of(language)), min_size=1, max_size=60))
    assert legacy.detect(texts) is None


@pytest.mark.parametrize("language", WESTERN)
def test_the_whole_vocabulary_of_other_languages_is_not_touched(language):
    assert legacy.detect(words_of(language)) is None
    assert not [word for word in words_of(language) if legacy.detect([word])]
    # Keyboards that can't write É leave it small.
    shouted = [re.sub("[a-z]", lambda found: found[0].upper(), word) for word in words_of(language)]
    assert legacy.detect(shouted) is None
    assert not [word for word in shouted if legacy.detect([word])]


@given(st.lists(st.sampled_from(vietnamese()), max_size=60), encodings)
def test_unicode_is_never_touched(texts, encoding):
    assert legacy.detect(texts) is None
    for text in texts:
        if any(letter in "ăđĩũơư" or letter >= "\u1ea0" for letter in text.lower()):
            assert legacy.repair(text, encoding) == text


@given(st.text(st.characters(max_codepoint=0xFF), max_size=40), encodings)
def test_any_text_can_be_asked_about(text, encoding):
    assert isinstance(legacy.repair(text, encoding), str)
    assert legacy.weigh([text], encoding).confidence <= 1


@pytest.mark.parametrize(
    "texts",
    [
        ["µg/m³", "m²", "km²", "1ª", "nº 5", "25 °C", "±3", "3 × 4", "½", "5 µm", "CO²"],
        ["né", "thé", "clé", "dé", "pré", "là", "où", "été"],
        ["é", "só", "há", "nó", "pé", "lã", "avô"],
        ["«Le Monde»", "© 2005", "Microsoft®", "§ 5", "£5", "a · b", "¿Qué?", "¡Olé!"],
        ["Hà Nam", "Cà Mau", "Hòa Bình", "Trà Vinh", "An Giang", "Hà Tiên"],
        ["naïf", "maïs", "Noël", "aérien", "août", "Saône", "Raphaël", "Israël"],
    ],
)
def test_signs_and_short_words_are_no_evidence(texts):
    assert legacy.detect(texts) is None


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("tcvn3", "Hà Nam"),
        ("tcvn3", "São Paulo"),
        ("tcvn3", "Müller"),
        ("tcvn3", "20 m²"),
        ("tcvn3", "© 2005"),
        ("tcvn3", "· 3 × 4"),
        ("vni", "Hòa Bình"),
        ("vni", "Café"),
        ("viscii", "Hà Nam"),
        ("viscii", "25 °C"),
        ("viscii", "Côte d’Ivoire"),
        ("viscii", "€ 20"),
        ("viscii", "12·5"),
        ("viscii", "TCVN 5712®"),
        ("tcvn3", "1ª"),
    ],
)
def test_in_a_mixed_column_what_is_right_stays(encoding, text):
    assert legacy.repair(text, encoding, mixed=True) == text


@pytest.mark.parametrize(
    ("hidden", "text"),
    [
        ("TV§T", "TVĐT"),
        ("®", "đ"),
        ("100.000®", "100.000đ"),
        ("QÑ", "QĐ"),
        ("Ir¾c", "Irắc"),
        ("Aã", "Aó"),
        ("Nam ¸", "Nam á"),
        ("huyÖn M'§r¾k", "huyện M'Đrắk"),
    ],
)
def test_abbreviations_and_single_letters_follow_their_column(hidden, text):
    encoding = "vni" if "Ñ" in hidden else "tcvn3"
    assert legacy.repair(hidden, encoding) == text


def test_two_words_of_viscii_are_no_tcvn3():
    found = legacy.detect(["Huª", "Hà Nµi"])
    assert found is not None
    assert found.encoding == "viscii"


def test_words_that_only_tcvn3_has_prove_it_among_many_of_other_languages():
    foreign = ["Crème", "Développement", "Métropole", "México", "Noël", "Señor", "Été", "Gruyère"]
    found = legacy.detect([*foreign, "Kh«ng", "t¸m", "tÊn", "§iÖn", "viÖn", "x·"])
    assert found is not None
    assert found.among_others
    assert legacy.detect(foreign) is None


@pytest.mark.parametrize("charset", ["TCVN", "VISCII"])
def test_the_tables_are_those_of_iconv(charset):
    encoding = {"TCVN": "tcvn3", "VISCII": "viscii"}[charset]
    high = bytes(range(0xA1, 0x100))
    try:
        done = subprocess.run(
            ["iconv", "-f", charset, "-t", "UTF-8"], input=high, capture_output=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip(f"no iconv with {charset} here")
    theirs = unicodedata.normalize("NFC", done.stdout.decode())
    ours = "".join(ALPHABETS[encoding].table.get(sign, sign) for sign in high.decode("latin-1"))
    if charset == "TCVN":
        # The standard has tones of their own; the fonts, and so we, have ° ± ² ³ ´ there.
        ours = unicodedata.normalize(
            "NFC", ours.translate(dict(zip(range(0xB0, 0xB5), TONES, strict=True)))
        )
    assert ours == theirs


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Hà hoà hòa hoàn thủy thuỷ quyết nghiệp giếng gì già khuya khuỷu Đắk quý xoong NỘI", True),
        ("xaõ hàò nỘi nghiêp tac cộộ brá thés mạs ẩẩ", False),
    ],
)
def test_syllables_have_an_onset_a_rhyme_and_one_tone_in_its_place(words, expected):
    assert [word for word in words.split() if is_syllable(word) is not expected] == []
