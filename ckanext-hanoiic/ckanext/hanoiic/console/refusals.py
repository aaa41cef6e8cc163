"""The console's errors as an action answers them."""

from __future__ import annotations

from ckan.plugins import toolkit as tk

from .errors import ConsoleError


def refused(error: ConsoleError, **facts: str) -> tk.ValidationError:
    """A validation error with the sentence, the code and facts, each a list of one text."""
    said = {"message": [error.detail], "code": [error.code]}
    return tk.ValidationError({**said, **{key: [fact] for key, fact in facts.items()}})
