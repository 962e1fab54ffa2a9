"""C enums as IntEnum classes."""

from __future__ import annotations

import enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def make_enum(name: str, pairs: tuple[tuple[str, int], ...]) -> dict[int | None, Any]:
    """The IntEnum of a C enum: its members by value, and under None the class."""
    kind = enum.IntEnum(name, list(pairs), module="plugin")  # type: ignore[misc]
    members: dict[int | None, Any] = {member.value: member for member in kind}
    members[None] = kind
    return members
