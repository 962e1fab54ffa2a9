"""How what a caller gave is shown in a sentence: whole if it can be read, and on one line."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST = 1000
"""Characters of what a caller gave, in a message; a path may have five times as many."""


def brief(text: str, longest: int = _LONGEST) -> str:
    """The text, its middle left out if it is too long to be read."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}...{text[-longest // 4 :]}"


def quote(path: Any) -> str:
    """The path in double quotes, with what cannot be printed escaped."""
    text = os.fsdecode(path) if isinstance(path, (str, bytes)) else str(path)
    if not text.isprintable():
        text = text.encode("unicode_escape").decode("ascii")
    text = brief(text, 5 * _LONGEST)
    return f'"{text}"'
