"""Opening step by step: paths that lead through links, options, files that changed, and all that is refused.

The short way, for a path alone, is in C: src/_plugin/plain.c.
"""

import os

from plugin import _plugin
from plugin._open import Plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Identity = tuple[int, int, int, int]
    """Device, inode, size in bytes, modification time in nanoseconds."""

# What glibc replaces in a path, and there is no way to quote it.
_LOADER_WORDS = [b"$ORIGIN", b"${ORIGIN}", b"$LIB", b"${LIB}", b"$PLATFORM", b"${PLATFORM}"]


def open(
    path: "str | bytes | os.PathLike[str] | os.PathLike[bytes]",
    declare: str | None,
    interface: "Any",
    host: object,
    mode: int | None,
    sha256: str | bytes | None,
    on_change: str,
) -> "Plugin[Any]":
    """The plugin in the shared library at `path`: see plugin.open, which comes here with all that it was given."""
    shown, encoded = encode(path)
    _check_options(mode, on_change)
    pin = None if sha256 is None else _normal(sha256)
    try:
        identity = _plugin.identify(encoded)
    except OSError as error:
        from plugin import _find

        raise _say().not_found(shown, error, _find.hint(shown, "open")) from None
    plugin: Plugin[Any] | None = _plugin.by_file.get(identity[:2])
    if plugin is None:
        real = _real(encoded, shown, identity)
        plugin = _plugin.by_path.get(os.fsdecode(real))
        if plugin is None:
            if pin is None:
                plugin = _load(real, shown, mode, declare, interface, host)
            else:
                plugin = _load_pinned(pin, real, shown, mode, declare, interface, host)
            identity = plugin._identity
    changed = identity != plugin._identity  # what by_path found may be another file, or what a thread has just opened
    if changed and on_change == "error":
        raise _say().stale(shown, plugin.name, plugin.path)
    if pin is not None:
        _compare(plugin, pin, encoded, shown)
    return _again(plugin, shown, mode, declare, interface, host)


def _say() -> "Any":
    """What writes the sentences: read when there is something to be said."""
    from plugin import _sentences

    return _sentences


def _load(
    real: bytes, shown: str | bytes, mode: int | None, declare: str | None, interface: "Any", host: object
) -> "Plugin[Any]":
    if mode is None:
        mode = _plugin.RTLD_NOW | _plugin.RTLD_LOCAL
    plugin: Plugin[Any] = _plugin.read(Plugin, real, shown, mode, declare)
    plugin._host = host
    plugin._interface = interface
    if interface is not None:
        from plugin import _bind

        _bind.check(plugin, interface, shown)
    _plugin.load(plugin, real, shown, host)
    return _publish(plugin)


def _publish(plugin: "Plugin[Any]") -> "Plugin[Any]":
    """Enter a plugin, and return the one that counts: of two threads that opened one file, the first one's."""
    winner: Plugin[Any] = _plugin.by_file.setdefault(plugin._identity[:2], plugin)
    _plugin.by_path.setdefault(winner.path, winner)
    return winner


def _normal(sha256: str | bytes) -> str:
    from plugin import _pin

    return _pin.normal(sha256)


def _load_pinned(pin: str, real: bytes, shown: str | bytes, *rest: "Any") -> "Plugin[Any]":
    from plugin import _pin

    with _pin.Pinned(real, shown) as file:
        file.compare(pin)
        plugin = _load(real, shown, *rest)
        file.unchanged()
        if plugin._identity == file.identity:
            plugin._sha256 = pin
    return plugin


def _compare(plugin: "Plugin[Any]", pin: str, encoded: bytes, shown: str | bytes) -> None:
    """Refuse an open plugin of another SHA-256: as compared when it was opened, else that of its unchanged file."""
    from plugin import _pin

    known = getattr(plugin, "_sha256", None)
    if known is None:
        with _pin.Pinned(encoded, shown) as file:
            if file.identity != plugin._identity:
                raise _say().stale(shown, plugin.name, plugin.path)
            file.compare(pin)
        plugin._sha256 = pin
    elif known != pin:
        raise _say().other_sha256(shown, pin, known)


def _again(
    plugin: "Plugin[Any]", shown: str | bytes, mode: int | None, declare: str | None, interface: "Any", host: object
) -> "Plugin[Any]":
    """The plugin, if what the caller asks of it is what it is."""
    if mode is not None and mode != plugin._mode:
        raise _say().other_mode(shown, plugin.name, plugin._mode, mode)
    if host is not None and host is not getattr(plugin, "_host", None):
        raise _say().other_host(shown, plugin.name)
    if declare is not None:
        plugin.declare(declare)
    if interface is not None and interface is not getattr(plugin, "_interface", None):
        from plugin import _bind

        _bind.check(plugin, interface, shown)
        plugin._interface = interface
    return plugin


def encode(path: "Any", verb: str = "open") -> tuple[str | bytes, bytes]:
    """The path as the caller wrote it, and as the system takes it; ValueError if no file can have it."""
    shown = os.fspath(path)
    try:
        encoded = os.fsencode(shown)
    except UnicodeEncodeError as error:
        raise ValueError(_say().opening(shown, f"no file has such a name: {error.reason}", verb)) from None
    if b"\0" in encoded:
        raise ValueError(_say().opening(shown, "the path has an embedded null character", verb))
    return shown, encoded


def _check_options(mode: int | None, on_change: str) -> None:
    if on_change not in ("error", "keep"):
        from plugin import _brief

        raise ValueError(f'plugin.open(): on_change is "error" or "keep", not {_brief.brief(repr(on_change))}')
    if mode is not None and (not isinstance(mode, int) or not mode & (_plugin.RTLD_NOW | _plugin.RTLD_LAZY)):
        from plugin import _brief

        raise ValueError(f"plugin.open(): mode needs RTLD_NOW or RTLD_LAZY; it is {_brief.brief(repr(mode))}")


def _real(encoded: bytes, shown: str | bytes, identity: "Identity") -> bytes:
    """The real path, which must lead to the very file: that of /proc/self/fd/9 may be "driver.so (deleted)"."""
    try:
        real = _plugin.realpath(encoded)
        same = real == encoded or _plugin.identify(real)[:2] == identity[:2]
    except OSError as error:
        raise _say().not_found(shown, error) from None
    if not same:
        raise _say().other_real(shown, os.fsdecode(real))
    for word in _LOADER_WORDS if b"$" in real else ():
        if word in real:
            raise _say().expanded(shown, word.decode())
    return real
