"""The paths that officers write: of JSONPath (RFC 9535) those that name one place in each element.

Names (`$.a.b`, `$['a b']["c"]`) and all elements of a list (`[*]`) are read, and `/a/b` as well.
What picks, such as `..`, `[0]` or `[?…]`, is refused: the rows are all that stand at a place.
"""

from __future__ import annotations

import re

from harvesters.errors import SourceInvalid

ITEM = "item"
_STEP = re.compile(
    r"""(?P<all>\[\*\]|[./]\*|(?<![^$])\*)"""
    r"""|\['(?P<single>[^']+)'\]|\["(?P<double>[^"]+)"\]"""
    r"""|(?:[./]|(?<![^$]))(?P<name>[^./\[\]*]+)"""
)


def dotted(path: str) -> str:
    """The path as ijson writes it; a list's elements are `item`. Raises SourceInvalid."""
    text = path.strip().removeprefix("$")
    steps, at = list[str](), 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise SourceInvalid(
                f"The path {path!r} can't be read from {text[at:]!r} on: it may have names, such "
                "as $.result.items or $['result']['items'], and [*] for all elements of a list."
            )
        steps.append(ITEM if step["all"] else step["name"] or step["single"] or step["double"])
        at = step.end()
    # A last [*] says "its elements", which are the rows anyway.
    if text.endswith("*]") or text.endswith("*"):
        steps.pop()
    return ".".join(steps)
