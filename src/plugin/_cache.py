"""The open plugins of this interpreter, by file and by path.

Entries are never removed: a library whose code has run stays mapped.  Dicts are changed by single operations that
are atomic with and without the GIL.
"""

from plugin import _plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from plugin._library import Plugin

    Identity = tuple[int, int, int, int]
    """Device, inode, size in bytes, modification time in nanoseconds."""

_by_file: "dict[tuple[int, int], Plugin[Any]]" = {}
_by_path: "dict[str, Plugin[Any]]" = {}


def known(path: object) -> "Plugin[Any] | None":
    """The plugin that was opened from the file at this path (str or bytes), if it is unchanged: the short way."""
    found: Plugin[Any] | None = _plugin.known(_by_file, path)
    return found


def by_file(identity: "Identity") -> "Plugin[Any] | None":
    """The plugin that was opened from this file, under whatever path, changed since or not."""
    return _by_file.get(identity[:2])


def by_path(path: str) -> "Plugin[Any] | None":
    """The plugin that was opened from this real path, whatever file is there now."""
    return _by_path.get(path)


def publish(plugin: "Plugin[Any]") -> "Plugin[Any]":
    """Enter a plugin, and return the one that counts: of two threads that opened one file, the first one's."""
    winner = _by_file.setdefault(plugin._identity[:2], plugin)
    _by_path.setdefault(winner.path, winner)
    return winner
