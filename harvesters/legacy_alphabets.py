"""The encodings from before Unicode: how each writes a word, and how such a word is told from a
Western one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harvesters.legacy_tables import TCVN3, TCVN3_LOWER, TCVN3_RARE, VISCII, VNI
from harvesters.syllables import is_syllable

# Signs that ordinary text has beside a word, and numbers.
EDGE = "“”‘’…–—•™†‡‰‹›€„‚«»·©®¡¿°ºª¹²³´¨¯¸¬\u00ad\u00a0×÷§¶¦£¤¥¢¼½¾±"
_EVERYWHERE = frozenset("ªº°¹²³¼½¾±´’‘")
# Signs that are no letters when they stand alone between words or numbers.
_LONE = frozenset("×÷©°²³¹¼½¾±»£¥¦¿•…–—")
_PRINTED = re.compile("[\u2000-\u2122]")
_UNITS = re.compile("[kdcm]?m[²³]|[xyR]²|H²O|[CNS]O²|µ[mglsV]|[nN][°º]|°[CFK]")
_SHOWN_AS_CAPITALS = re.compile("[{0}][A-Z]|[A-Z][A-Z][{0}]".format("".join(TCVN3_LOWER)))
_SMALL = re.compile("[a-z]")
# Small letters of TCVN3 stand at Latin-1's capitals: `NguyÔn` is no word of any language.
_CAPITAL_INSIDE = re.compile(
    "[a-z][\u00c0-\u00d6\u00d8-\u00de]|[A-Z][\u00c0-\u00d6\u00d8-\u00de][a-z]"
)
# VISCII's ự (ñ) stands between consonants; þ and ð are Icelandic, which has none of the others.
_NO_WESTERN_WORD = re.compile(
    "(?i)[bcdghklmnpqrstvx]ñ[bcdghklmnpqrstvx]|[þð].*[ßñõãêô]|[ßñõãêô].*[þð]"
)
_SMALL_IN_CAPITALS = re.compile("[A-Z][\u00df-\u00ff]+[A-Z]")
_APOSTROPHES = frozenset("’‘´")
_BESIDE_NO_WORD = frozenset("\u00ad¬¨¸¶¯")
# Pairs of VNI that French, Spanish or Portuguese words have too.
_WESTERN_PAIRS = re.compile("où|oû|aï|oï|aé|aè|oá|eá|eã|oâ|eâ", re.I)


@dataclass(frozen=True)
class Alphabet:
    """One encoding: its name, its table, and how a word of it is told from a Western one."""

    name: str
    title: str
    table: dict[str, str]
    token: re.Pattern[str]
    unit: re.Pattern[str]
    telling: Callable[[str], int]
    least_telling: int = 1
    lone_signs: frozenset[str] = _LONE
    foreign: re.Pattern[str] | None = None

    def cannot_write(self, word: str) -> bool:
        """Whether a word is Vietnamese as it is, with a letter the encoding has nowhere."""
        rest = self.unit.sub("", word)
        return bool(self.foreign and self.foreign.search(rest)) and is_vietnamese(word)

    def decode(self, text: str) -> str:
        """The text with every sign of the table replaced, without judging it."""
        letters = self.unit.sub(lambda found: self.table[found[0]], text)
        return letters.upper() if self.table is TCVN3 and is_in_capitals(text) else letters

    def read(self, word: str) -> str:
        """A word decoded, but for quotation marks and the like around it when only so it is one."""
        is_plain = word.isascii() and word.isprintable()
        if is_plain or word in self.lone_signs or _UNITS.fullmatch(word):
            return word
        if self.table is TCVN3 and not TCVN3_RARE.isdisjoint(word) and is_vietnamese(word):
            return word
        whole = self.decode(word)
        if is_syllable(whole):
            return whole
        if not any(sign.isalpha() for sign in word) and set(word) <= _EVERYWHERE:
            return word
        for head, tail in ((1, 1), (1, 0), (0, 1)):
            core = word
            if head:
                core = core.lstrip(EDGE)
            before = word[: len(word) - len(core)]
            if tail:
                core = core.rstrip(EDGE)
            after = word[len(before) + len(core) :]
            if (before or after) and is_syllable(decoded := self.decode(core)):
                return before + decoded + after
        if _PRINTED.search(word):
            # An apostrophe (d’Ivoire) is a capital letter only where that makes a syllable.
            return "".join(
                part if _PRINTED.match(part) else self.decode(part)
                for part in re.split(f"({_PRINTED.pattern})", word)
            )
        return whole


def is_in_capitals(text: str) -> bool:
    """Whether a TCVN3 text was written in a font of capitals (.VnTimeH), which shows small letters
    as capitals: `THµNH` is no way to write anything else."""
    return bool(_SHOWN_AS_CAPITALS.search(text)) and not _SMALL.search(text)


def is_one_sign(word: str) -> bool:
    return len(word) == 1 and (not word.isalpha() or word in _EVERYWHERE)


def is_vietnamese(word: str) -> bool:
    core = word.strip(EDGE)
    return not core.isascii() and is_syllable(core)


def _sign_inside(token: str) -> int:
    """How much it tells that a word has a sign where only a letter can be (`C«ng`), or letters in
    an order of cases that nobody writes (`NguyÔn`); and less, one that few write (`HéI`)."""
    if not any("a" <= letter <= "z" for letter in token.lower()):
        return 0
    core = token.strip(EDGE)
    if _NO_WESTERN_WORD.search(token):
        return 3
    if _CAPITAL_INSIDE.search(token) or any(
        not sign.isalpha() and sign not in _APOSTROPHES for sign in core
    ):
        return 3
    # At an edge only those count that nothing else puts beside a word (µ is a unit's first letter).
    if len(token) > 1 and ("µ" in token[1:] or not _BESIDE_NO_WORD.isdisjoint(token)):
        return 3
    return int(bool(_SMALL_IN_CAPITALS.search(token)))


def _foreign_pair(token: str) -> int:
    pairs = [found[0] for found in _VNI_UNIT.finditer(token) if len(found[0]) == 2]
    return 2 * any(not _WESTERN_PAIRS.fullmatch(pair) for pair in pairs)


def _unit(table: dict[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(table, key=len, reverse=True))))


def _token(table: dict[str, str]) -> re.Pattern[str]:
    signs = "".join(sign for sign in table if len(sign) == 1 and not sign.isalpha())
    return re.compile(rf"(?:[^\W\d_]|[{re.escape(signs)}])+" if signs else r"[^\W\d_]+")


_VNI_UNIT = _unit(VNI)
ALPHABETS: dict[str, Alphabet] = {
    alphabet.name: alphabet
    for alphabet in (
        Alphabet(
            *("tcvn3", "TCVN3 (ABC)", TCVN3, _token(TCVN3), _unit(TCVN3), _sign_inside),
            lone_signs=_LONE | {"·"},
        ),
        Alphabet(
            *("vni", "VNI", VNI, _token(VNI), _VNI_UNIT, _foreign_pair),
            # Single letters with a mark; ì and í are themselves there.
            foreign=re.compile("(?i)[àáâãèéêõùúý]"),
        ),
        Alphabet(
            *("viscii", "VISCII", VISCII, _token(VISCII), _unit(VISCII), _sign_inside),
            least_telling=2,
        ),
    )
}
