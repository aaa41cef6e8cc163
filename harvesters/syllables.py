"""Vietnamese spelling: whether a word can be a Vietnamese syllable.

A syllable is an onset, a rhyme and a tone. There are few of each, so that wrongly decoded
text hardly ever makes one. The tables follow today's orthography and its habits in
place names (Đắk, Oong).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_SHARP_OR_HEAVY = frozenset("\u0301\u0323")
_ONSETS = (
    *("ngh", "ch", "gh", "gi", "kh", "ng", "nh", "ph", "qu", "th", "tr"),
    *("b", "c", "d", "đ", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "x", ""),
)
_RHYME_TABLE = """
    a ac ach ai am an ang anh ao ap at au ay ak
    ăc ăm ăn ăng ăp ăt ăk âc âm ân âng âp ât âu ây
    e ec em en eng eo ep et ê êch êm ên êng ênh êp êt êu
    i ia ich iêc iêm iên iêng iêp iêt iêu im in inh ip it iu
    o oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt
    oc oe oen oeo oet oi om on ong op ot ooc oong
    ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt
    u ua uân uâng uât uây uc uê uêch uênh ui um un ung uôc uôi uôm uôn uông uôt uơ up ut uk
    uy uya uych uyên uyêt uynh uyt uyu
    ư ưa ưc ưi ưm ưn ưng ươc ươi ươm ươn ương ươp ươt ươu ưt ưu
    y yêm yên yêng yêt yêu ynh yt ych yu
"""
_RHYMES = frozenset(_RHYME_TABLE.split())
_STOPS = ("c", "ch", "k", "p", "t")


@lru_cache(maxsize=1 << 16)
def is_syllable(word: str) -> bool:
    """Whether a word is spelt as one Vietnamese syllable: `Nội`, `NỘI` and `nội`, not `nỘi`."""
    if not word or word not in (word.lower(), word.upper(), word.capitalize()):
        return False
    letters: list[str] = []
    tones: list[str] = []
    for sign in unicodedata.normalize("NFD", word.lower()):
        (tones if sign in _TONES else letters).append(sign)
    if len(tones) > 1:
        return False
    plain = unicodedata.normalize("NFC", "".join(letters))
    for onset in _ONSETS:
        rhyme = plain.removeprefix(onset)
        if plain.startswith(onset) and rhyme in _RHYMES:
            return not rhyme.endswith(_STOPS) or bool(_SHARP_OR_HEAVY.intersection(tones))
    return False
