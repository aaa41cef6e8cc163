"""Vietnamese text from before Unicode, hidden as Latin-1 characters: find it, and make it Unicode.

The evidence is the spelling: read in the right encoding, words that are spelt like nothing become
Vietnamese syllables. Words of other languages hardly ever do, and never with signs that stand in no
word (`Hµ Néi`), so without such words nothing is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harvesters.common_syllables import COMMON
from harvesters.legacy_tables import TCVN3, TCVN3_LOWER, TCVN3_RARE, VISCII, VNI
from harvesters.syllables import is_syllable

NONE = "none"
LEAST_CONFIDENCE = 0.75
_LEAST_GAIN = 3
# So much, with nothing against it, is no chance.
_SURE_GAIN = 6
# So many words that no other language has.
_PROOF = 4
# One telling word among so many that other languages could have too.
_PLAIN_PER_TELLING = 12
# Letters that no reading as Latin-1 gives: the text is Unicode already.
_UNICODE = re.compile(r"[\u0103\u0111\u0129\u0169\u01a1\u01b0\u1ea0-\u1ef9\u0300-\u0323]", re.I)
CONTROLS = "\x02\x05\x06\x14\x19\x1e"
_FOREIGN = re.compile(f"[{CONTROLS}\u0080-\uffff]")
# Signs that ordinary text has beside a word, and numbers.
_EDGE = "“”‘’…–—•™†‡‰‹›€„‚«»·©®¡¿°ºª¹²³´¨¯¸¬\u00ad\u00a0×÷§¶¦£¤¥¢¼½¾±"
_EVERYWHERE = frozenset("ªº°¹²³¼½¾±´’‘")
# Signs that are no letters when they stand alone between words or numbers.
_LONE = frozenset("×÷©°²³¹¼½¾±»£¥¦¿•…–—")
_PRINTED = re.compile("[\u2000-\u2122]")
_UNITS = re.compile("[kdcm]?m[²³]|µ[mglsV]|[nN][°º]|°[CFK]")
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
# The words of one letter, and đồng's and đường's abbreviation.
_WORDS_OF_ONE_LETTER = frozenset("ýởừờôđ")
# What stands in the numbers of decisions, and nowhere with `Ñ`, `Ð` or `§` in its place.
_ABBREVIATIONS = frozenset(
    """
    QĐ NĐ HĐ HĐND HĐQT HĐTV ĐVT ĐKKD ĐKQSDĐ GCNĐKKD GPĐK KĐT ĐTXD ĐBSCL ĐBQH LĐTBXH BLĐTBXH GDĐT
    SGDĐT BGDĐT KHĐT SKHĐT BKHĐT ĐHQG CĐ ĐH TĐC
    """.split()  # noqa: SIM905
)
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
        return bool(self.foreign and self.foreign.search(rest)) and _is_vietnamese(word)

    def decode(self, text: str) -> str:
        """The text with every sign of the table replaced, without judging it."""
        letters = self.unit.sub(lambda found: self.table[found[0]], text)
        return letters.upper() if self.table is TCVN3 and _is_in_capitals(text) else letters


@dataclass(frozen=True)
class Finding:
    """What a set of texts says of one encoding; `confidence` is from 0 to 1."""

    encoding: str
    gain: int
    loss: int
    plain: int
    telling: int

    @property
    def confidence(self) -> float:
        return self.gain / (self.gain + self.loss) if self.gain else 0.0

    @property
    def established(self) -> bool:
        least_telling = ALPHABETS[self.encoding].least_telling
        if self.gain >= _SURE_GAIN and not self.loss:
            least_telling = 1
        return (
            self.gain >= _LEAST_GAIN
            and self.telling >= least_telling
            and self.plain <= _PLAIN_PER_TELLING * self.telling
            and (self.confidence >= LEAST_CONFIDENCE or self.among_others)
        )

    @property
    def among_others(self) -> bool:
        """Whether it is proven, and stands among many words of other languages."""
        return self.telling >= _PROOF and 0.5 <= self.confidence < LEAST_CONFIDENCE


def _sign_inside(token: str) -> int:
    """How much it tells that a word has a sign where only a letter can be (`C«ng`), or letters in
    an order of cases that nobody writes (`NguyÔn`); and less, one that few write (`HéI`)."""
    if not any("a" <= letter <= "z" for letter in token.lower()):
        return 0
    core = token.strip(_EDGE)
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


def is_suspect(text: str) -> bool:
    """Whether a text could be of a legacy encoding: not ASCII (VISCII has letters among the control
    characters), and no letter that only Unicode has."""
    return bool(_FOREIGN.search(text)) and not _UNICODE.search(text)


def weigh(texts: Iterable[str], encoding: str) -> Finding:
    """What texts say for and against an encoding, each distinct word once."""
    alphabet = ALPHABETS[encoding]
    words = {word for text in texts if is_suspect(text) for word in alphabet.token.findall(text)}
    gain = loss = plain = telling = 0
    for word in words:
        decoded = _decoded_word(word, alphabet)
        if decoded == word or _is_one_sign(word):
            continue
        before, after = _is_vietnamese(word), is_syllable(decoded.strip(_EDGE))
        if decoded in _ABBREVIATIONS:
            gain, telling = gain + _LEAST_GAIN, telling + 2
            continue
        if after and not before:
            weight = alphabet.telling(word)
            telling += weight > 0
            plain += weight == 0
            gain += max(weight, 1) + (decoded.casefold() in COMMON)
        elif before and not after:
            loss += 2
        elif not (before or after) and not _is_abbreviation(decoded):
            loss += 1
    return Finding(encoding, gain, loss, plain, telling)


def detect(texts: Iterable[str]) -> Finding | None:
    """The encoding that the texts are in; None when there is no sufficient evidence for any."""
    suspects = [text for text in texts if is_suspect(text)]
    if not suspects:
        return None
    found = [weigh(suspects, encoding) for encoding in ALPHABETS]
    best = max(found, key=lambda finding: (finding.gain - finding.loss, finding.confidence))
    return best if best.established else None


def repair(text: str, encoding: str, *, established: bool = True, mixed: bool = False) -> str:
    """The text in Unicode (NFC); the same text when it is Unicode, or another language, already.

    `established`: the evidence is this text's own column's, so that abbreviations and single
    letters, which are no syllables either way, count as of it. `mixed`: texts beside it are
    Unicode, so a text that is Vietnamese either way is what people write more, or left as it is.
    """
    if not is_suspect(text):
        return text
    alphabet = ALPHABETS[encoding]
    if alphabet.table is TCVN3 and _is_in_capitals(text):
        return _replaced(text, alphabet, established, mixed).upper()
    return _replaced(text, alphabet, established, mixed)


def force(text: str, encoding: str) -> str:
    """The text in Unicode, as somebody who knows says that it is of the encoding."""
    return repair(text, encoding) if _UNICODE.search(text) else ALPHABETS[encoding].decode(text)


def _replaced(text: str, alphabet: Alphabet, established: bool, mixed: bool) -> str:
    words = [(found[0], found.span()) for found in alphabet.token.finditer(text)]
    read = [(word, _decoded_word(word, alphabet), span) for word, span in words]
    is_text = any(
        not _is_one_sign(word) and is_syllable(decoded.strip(_EDGE)) for word, decoded, _ in read
    )
    changed = [
        (word, decoded, span)
        for word, decoded, span in read
        if decoded != word
        and (not _is_one_sign(word) or _is_word_of_one_letter(decoded, text, span, is_text))
    ]
    for_it = sum(is_syllable(decoded.strip(_EDGE)) for _, decoded, _ in changed)
    against = sum(_is_vietnamese(word) for word, _, _ in changed)
    if mixed:
        pairs = [(word.strip(_EDGE), decoded.strip(_EDGE)) for word, decoded, _ in changed]
        for_it += sum(_is_commoner(decoded, word) for word, decoded in pairs)
        against += sum(_is_commoner(word, decoded) for word, decoded in pairs)
        against += sum(alphabet.cannot_write(word) for word, _ in words)
    if not for_it and established:
        for_it = sum(_is_plausible(word, decoded, alphabet) for word, decoded, _ in changed)
    if not for_it or against > for_it or (mixed and against == for_it):
        return text
    pieces, end = [], 0
    for _, decoded, (start, stop) in changed:
        pieces += [text[end:start], decoded]
        end = stop
    return "".join([*pieces, text[end:]])


def _is_commoner(one: str, other: str) -> bool:
    return one.casefold() in COMMON and other.casefold() not in COMMON


def _is_in_capitals(text: str) -> bool:
    """Whether a TCVN3 text was written in a font of capitals (.VnTimeH), which shows small letters
    as capitals: `THµNH` is no way to write anything else."""
    return bool(_SHOWN_AS_CAPITALS.search(text)) and not _SMALL.search(text)


def _decoded_word(word: str, alphabet: Alphabet) -> str:
    """A word decoded, but for quotation marks and the like around it when only so it is one."""
    is_plain = word.isascii() and word.isprintable()
    if is_plain or word in alphabet.lone_signs or _UNITS.fullmatch(word):
        return word
    if alphabet.table is TCVN3 and not TCVN3_RARE.isdisjoint(word) and _is_vietnamese(word):
        return word
    whole = alphabet.decode(word)
    if is_syllable(whole):
        return whole
    if not any(sign.isalpha() for sign in word) and set(word) <= _EVERYWHERE:
        return word
    for head, tail in ((1, 1), (1, 0), (0, 1)):
        core = word
        if head:
            core = core.lstrip(_EDGE)
        before = word[: len(word) - len(core)]
        if tail:
            core = core.rstrip(_EDGE)
        after = word[len(before) + len(core) :]
        if (before or after) and is_syllable(decoded := alphabet.decode(core)):
            return before + decoded + after
    if _PRINTED.search(word):
        # An apostrophe (d’Ivoire) is a capital letter only where that makes a syllable.
        return "".join(
            part if _PRINTED.match(part) else alphabet.decode(part)
            for part in re.split(f"({_PRINTED.pattern})", word)
        )
    return whole


def _is_one_sign(word: str) -> bool:
    return len(word) == 1 and (not word.isalpha() or word in _EVERYWHERE)


def _is_word_of_one_letter(decoded: str, text: str, span: tuple[int, int], is_text: bool) -> bool:
    """Whether a sign that is no letter elsewhere is one here: not at a digit (`12·5`, `5712®`), but
    for đồng's, and by itself only where it is such a word."""
    start, stop = span
    if text[start - 1 : start].isdigit() or text[stop : stop + 1].isdigit():
        return decoded == "đ"
    return is_text or decoded.casefold() in _WORDS_OF_ONE_LETTER


def _is_vietnamese(word: str) -> bool:
    core = word.strip(_EDGE)
    return not core.isascii() and is_syllable(core)


def _is_plausible(word: str, decoded: str, alphabet: Alphabet) -> bool:
    return (
        _is_abbreviation(decoded)
        or bool(alphabet.telling(word))
        or is_syllable(decoded, misplaced=True)
    )


def _is_abbreviation(decoded: str) -> bool:
    """An abbreviation or a single letter (đ for đồng), which is no syllable and yet a word."""
    return len(decoded) == 1 or (len(decoded) <= 5 and decoded.isupper())
