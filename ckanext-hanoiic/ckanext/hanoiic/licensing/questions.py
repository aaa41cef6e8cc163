"""What applicants are asked besides their purpose. Each answer is kept with its question.

An offer asks the usual questions unless its officers wrote others. A question has a kind, and an
answer that is not of that kind is refused while the form is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ckanext.hanoiic.licensing.errors import AnswerInvalid, OfferInvalid
from ckanext.hanoiic.licensing.model import Offer

MOST_QUESTIONS = 12
LONGEST_QUESTION = 300


@dataclass(frozen=True)
class Question:
    """A question of the request's form in both languages. ``kind``: of :data:`KINDS`."""

    id: str
    vi: str
    en: str
    required: bool = False
    kind: str = "text"


USUAL = (
    Question(
        "product",
        "Sản phẩm hoặc kết quả bạn sẽ tạo ra từ dữ liệu là gì?",
        "What product or result will you make from the data?",
    ),
    Question(
        "readers",
        "Ai trong tổ chức của bạn sẽ đọc dữ liệu?",
        "Who in your organisation will read the data?",
    ),
    Question(
        "protection",
        "Dữ liệu được lưu ở đâu và được bảo vệ thế nào?",
        "Where is the data kept, and how is it protected?",
    ),
    Question(
        "publication",
        "Bạn có công bố kết quả không? Ở đâu?",
        "Will you publish results? Where?",
    ),
)


def _is_number(text: str) -> bool:
    return Decimal(text).is_finite()


def _is_date(text: str) -> bool:
    return date.fromisoformat(text) is not None


# Kind of question → whether a text (not empty) answers it; it may raise ValueError instead.
KINDS: dict[str, Callable[[str], bool]] = {
    "text": lambda text: True,
    "line": lambda text: "\n" not in text,
    "number": _is_number,
    "date": _is_date,
    "yes_no": lambda text: text in ("yes", "no"),
}


def of(offer: Offer | None) -> tuple[Question, ...]:
    """What a request under the offer is asked."""
    if offer is None or offer.questions is None:
        return USUAL
    return tuple(Question(**one) for one in offer.questions)


def checked(said: Any) -> list[dict[str, Any]] | None:
    """An offer's own questions as they are kept; None where they are the usual ones.

    A question without an ``id`` gets one. Raises :class:`OfferInvalid`.
    """
    if said is None:
        return None
    if not isinstance(said, list) or len(said) > MOST_QUESTIONS:
        raise _wrong("questions_most", most=MOST_QUESTIONS)
    if not all(isinstance(one, Mapping) for one in said):
        raise _wrong("questions_shape")
    taken = {str(one["id"]) for one in said if one.get("id")}
    free = (name for number in range(1, 2 * MOST_QUESTIONS) if (name := f"q{number}") not in taken)
    asked = [_question(one, number, free) for number, one in enumerate(said, start=1)]
    if len({one.id for one in asked}) < len(asked):
        raise _wrong("questions_shape")
    return None if tuple(asked) == USUAL else [asdict(one) for one in asked]


def _question(said: Mapping[str, Any], number: int, free: Iterable[str]) -> Question:
    words = {name: str(said.get(name) or "").strip() for name in ("vi", "en")}
    if set(said) - set(Question.__dataclass_fields__):
        raise _wrong("questions_shape")
    if not all(words.values()):
        raise _wrong("question_words", number=number)
    if max(map(len, words.values())) > LONGEST_QUESTION:
        raise _wrong("question_long", number=number, most=LONGEST_QUESTION)
    kind = said.get("kind") or "text"
    if not isinstance(kind, str) or kind not in KINDS:
        raise _wrong("question_kind", number=number)
    id_ = str(said.get("id") or next(iter(free)))
    return Question(id_, **words, required=bool(said.get("required")), kind=kind)


def _wrong(problem: str, **facts: Any) -> OfferInvalid:
    return OfferInvalid(f"questions: {problem}", field="questions", problem=problem, **facts)


def as_asked(asked: Iterable[Question], answers: Mapping[str, str]) -> list[dict[str, Any]]:
    """Answers beside their questions as they read today; empty ones are left out.

    Raises :class:`AnswerInvalid` for one that is missing, unknown or not of its question's kind.
    """
    asked = tuple(asked)
    if unknown := sorted(answers.keys() - {one.id for one in asked}):
        raise AnswerInvalid("Not asked", field=f"answer_{unknown[0]}", problem="answer_unknown")
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "question": {"vi": one.vi, "en": one.en},
            "answer": text,
        }
        for one in asked
        if (text := _answer(one, answers.get(one.id, "").strip()))
    ]


def _answer(question: Question, text: str) -> str:
    field = f"answer_{question.id}"
    if not text:
        if question.required:
            raise AnswerInvalid("Missing", field=field, problem="answer_missing")
        return ""
    try:
        fits = KINDS[question.kind](text)
    except (ValueError, InvalidOperation):
        fits = False
    if not fits:
        raise AnswerInvalid("Of another kind", field=field, problem=f"answer_{question.kind}")
    return text
