"""Vietnamese spelling: whether a word can be a Vietnamese syllable.

A syllable is an onset, a rhyme and a tone in its place. There are few of each, so that wrongly
decoded text hardly ever makes one. The tables follow today's orthography and its habits in place
names (Đắk, Krông, Oong).
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache

_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_SHARP_HEAVY = frozenset("\u0301\u0323")
_VOWELS = frozenset("aăâeêioôơuưy")
_MARKED = frozenset("ăâêôơư")
_ONSETS = (
    *("ngh", "ch", "đr", "gh", "gi", "kh", "kr", "ng", "nh", "ph", "qu", "th", "tr"),
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
def is_syllable(word: str, misplaced: bool = False) -> bool:
    """Whether a word is spelt as one Vietnamese syllable: `Nội`, `NỘI` and `nội`, not `nỘi`.

    `misplaced` allows a common slip: the tone on a wrong vowel (`Aó`).
    """
    if not word or word not in (word.lower(), word.upper(), word.capitalize()):
        return False
    plain, tone, position = _without_tone(word.lower())
    if tone is None:
        return False
    for onset in _ONSETS:
        rhyme = plain.removeprefix(onset)
        if plain.startswith(onset) and rhyme in _RHYMES:
            stops = rhyme.endswith(_STOPS)
            if tone == "":
                # Names of the Central Highlands are written level: Đăk Nông.
                return not stops or rhyme.endswith("k")
            placed = misplaced or position - len(onset) in _places(rhyme)
            return placed and (not stops or tone in _SHARP_HEAVY)
    return False


def _without_tone(word: str) -> tuple[str, str | None, int]:
    """A word's letters, its tone (`""`: level, None: more than one) and the tone's letter."""
    letters, tone, position = "", "", -1
    for index, letter in enumerate(unicodedata.normalize("NFC", word)):
        signs = unicodedata.normalize("NFD", letter)
        marks = [sign for sign in signs if sign in _TONES]
        if marks:
            if tone or len(marks) > 1:
                return word, None, index
            tone, position = marks[0], index
            letter = unicodedata.normalize("NFC", signs.replace(tone, ""))
        letters += letter
    return letters, tone, position


@cache
def _places(rhyme: str) -> frozenset[int]:
    """Which letters of a rhyme may bear its tone; there are two where habits differ (hòa, hoà)."""
    vowels = [letter for letter in rhyme if letter in _VOWELS]
    marked = [index for index, letter in enumerate(vowels) if letter in _MARKED]
    if marked:
        return frozenset({marked[-1]})
    if len(vowels) == 2:
        if len(rhyme) > 2:
            return frozenset({1})
        return frozenset({0, 1} if rhyme in ("oa", "oe", "uy") else {0})
    return frozenset({len(vowels) // 2})
