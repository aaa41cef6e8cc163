"""What a request for access is asked besides its purpose; answers are kept with the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Question:
    """A question of the request's form in both languages."""

    id: str
    vi: str
    en: str
    required: bool = False


QUESTIONS = (
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
BY_ID = {question.id: question for question in QUESTIONS}


def as_asked(answers: dict[str, str]) -> list[dict[str, Any]]:
    """Answers beside their questions as they read today; empty ones are left out."""
    return [
        {"id": one.id, "question": {"vi": one.vi, "en": one.en}, "answer": answers[one.id].strip()}
        for one in QUESTIONS
        if answers.get(one.id, "").strip()
    ]
