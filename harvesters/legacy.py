"""Vietnamese text from before Unicode, hidden as Latin-1 characters: find it, and make it Unicode.

The evidence is the spelling: read in the right encoding, words that are spelt like nothing become
Vietnamese syllables. Words of other languages hardly ever do, and never with signs that stand in no
word (`Hµ Néi`), so without such words nothing is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harvesters.common_syllables import COMMON
from harvesters.legacy_alphabets import (
    ALPHABETS,
    EDGE,
    Alphabet,
    is_in_capitals,
    is_one_sign,
    is_vietnamese,
)
from harvesters.legacy_tables import TCVN3
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
# Marks of trade and of authors, which are beside names in any language.
_MARKS = "™©"
_WESTERN = re.compile("[a-zß-öø-ÿœ]+", re.I)
_NUMBERED = re.compile(r"-?\d")
# Latin-1's letters that Vietnamese lacks.
_NOT_VIETNAMESE = re.compile("[äåæçëîïðñöøûüþÿß]", re.I)
_FOREIGN = re.compile(f"[{CONTROLS}\u0080-\uffff]")
# Short French words that would be syllables, and ones that hardly anybody writes.
_WESTERN_WORDS = frozenset(("où", "dû", "né", "thé", "dé", "ré", "tôt"))
# So little against so much for it is a foreign name among Vietnamese ones.
_NOTHING_AGAINST = 20
_CLEAN_ENOUGH = 2
# The words of one letter, and đồng's and đường's abbreviation.
_WORDS_OF_ONE_LETTER = frozenset("ýởừờôđ")
# What stands in the numbers of decisions, and nowhere with `Ñ`, `Ð` or `§` in its place.
_ABBREVIATIONS = frozenset(
    """
    QĐ NĐ HĐ HĐND HĐQT HĐTV ĐVT ĐKKD ĐKQSDĐ GCNĐKKD GPĐK KĐT ĐTXD ĐBSCL ĐBQH LĐTBXH BLĐTBXH GDĐT
    SGDĐT BGDĐT KHĐT SKHĐT BKHĐT ĐHQG CĐ ĐH TĐC
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Finding:
    """What a set of texts says of one encoding; `confidence` is from 0 to 1. `clean` counts the
    words that are Vietnamese as they are: twice those that would not be, and once those that would
    be rarer."""

    encoding: str
    gain: int
    loss: int
    plain: int
    telling: int
    clean: int

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
    def beside_unicode(self) -> bool:
        """Whether some of the texts are Unicode already."""
        return self.clean >= _CLEAN_ENOUGH

    @property
    def undisputed(self) -> bool:
        """Whether next to nothing speaks against it."""
        return self.loss * _NOTHING_AGAINST <= self.gain

    @property
    def among_others(self) -> bool:
        """Whether it is proven, and stands among many words of other languages."""
        return self.telling >= _PROOF and 0.5 <= self.confidence < LEAST_CONFIDENCE


def is_suspect(text: str) -> bool:
    """Whether a text could be of a legacy encoding: not ASCII (VISCII has letters among the control
    characters), and no letter that only Unicode has."""
    return bool(_FOREIGN.search(text)) and not _UNICODE.search(text)


def weigh(texts: Iterable[str], encoding: str) -> Finding:
    """What texts say for and against an encoding, each distinct word once."""
    alphabet = ALPHABETS[encoding]
    words = {word for text in texts if is_suspect(text) for word in alphabet.token.findall(text)}
    gain = loss = plain = telling = clean = 0
    for word in words:
        decoded = alphabet.read(word)
        if decoded == word or is_one_sign(word):
            continue
        before, after = is_vietnamese(word), is_syllable(decoded.strip(EDGE))
        if before:
            # `Hòa` may be Hịa of VNI; nobody writes that.
            commoner = _is_commoner(word.strip(EDGE), decoded.strip(EDGE))
            clean += 2 if not after else int(commoner)
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
    return Finding(encoding, gain, loss, plain, telling, clean)


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
    if alphabet.table is TCVN3 and is_in_capitals(text):
        return _replaced(text, alphabet, established, mixed).upper()
    return _replaced(text, alphabet, established, mixed)


def force(text: str, encoding: str) -> str:
    """The text in Unicode, as somebody who knows says that it is of the encoding."""
    return repair(text, encoding) if _UNICODE.search(text) else ALPHABETS[encoding].decode(text)


def _replaced(text: str, alphabet: Alphabet, established: bool, mixed: bool) -> str:
    words = [(found[0], found.span()) for found in alphabet.token.finditer(text)]
    read = [(word, alphabet.read(word), span) for word, span in words]
    is_text = any(
        len(word) > 1 and not is_one_sign(word) and is_syllable(decoded.strip(EDGE))
        for word, decoded, _ in read
    )
    changed = [
        (word, decoded, span)
        for word, decoded, span in read
        if decoded != word and _may_be_word(word, decoded, text, span, is_text)
    ]
    for_it = sum(
        decoded in _ABBREVIATIONS
        or (is_syllable(decoded.strip(EDGE)) and not (mixed and _is_weak(word, decoded, alphabet)))
        for word, decoded, _ in changed
    )
    against = sum(is_vietnamese(word) for word, _, _ in changed)
    against += 2 * sum(word.casefold() in _WESTERN_WORDS for word, _, _ in changed)
    if mixed:
        pairs = [(word.strip(EDGE), decoded.strip(EDGE)) for word, decoded, _ in changed]
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


def _is_weak(word: str, decoded: str, alphabet: Alphabet) -> bool:
    """Whether a word could as well be of a Western language, and would be a rare syllable."""
    core = decoded.strip(EDGE).casefold()
    return bool(_WESTERN.fullmatch(word)) and core not in COMMON and not alphabet.telling(word)


def _may_be_word(word: str, decoded: str, text: str, span: tuple[int, int], is_text: bool) -> bool:
    """Whether what is beside a token lets it be a word, and no sign of a number or a code."""
    if len(core := word.strip(_MARKS)) < 2:
        return core == word and _is_word_of_one_letter(decoded, text, span, is_text)
    start, stop = span
    is_numbered = text[start - 1 : start].isdigit() or bool(_NUMBERED.match(text, stop))
    if is_numbered and not decoded.endswith("đ"):
        # `K×7` and `ID®7` are codes, `Q§15` is the number of a decision.
        is_code = len(word) == 2 or not is_syllable(decoded.strip(EDGE))
        return not is_code or decoded.strip(EDGE) in _ABBREVIATIONS
    return True


def _is_word_of_one_letter(decoded: str, text: str, span: tuple[int, int], is_text: bool) -> bool:
    """Whether a sign that is no letter elsewhere is one here: not at a digit (`12·5`, `5712®`), but
    for đồng's, and by itself only where it is such a word."""
    start, stop = span
    if text[:start].rstrip()[-1:].isdigit() or text[stop:].lstrip()[:1].isdigit():
        return decoded == "đ"
    is_all = len(text.strip()) == stop - start
    return is_text or (is_all and decoded.casefold() in _WORDS_OF_ONE_LETTER)


def _is_plausible(word: str, decoded: str, alphabet: Alphabet) -> bool:
    if not _is_spelt_by_case(decoded) or _NOT_VIETNAMESE.search(decoded):
        return False
    return (
        _is_abbreviation(decoded)
        or bool(alphabet.telling(word))
        or is_syllable(decoded, misplaced=True)
    )


def _is_spelt_by_case(word: str) -> bool:
    return word in (word.lower(), word.upper(), word.capitalize())


def _is_abbreviation(decoded: str) -> bool:
    """An abbreviation or a single letter (đ for đồng), which is no syllable and yet a word."""
    return len(decoded) == 1 or (len(decoded) <= 5 and decoded.isupper())
