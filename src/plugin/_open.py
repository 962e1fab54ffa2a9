"""open: from a path to a Plugin."""

import os

from plugin import _cache, _plugin
from plugin._library import Plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, overload

    from typing_extensions import TypeForm

    Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    T = TypeVar("T")

RTLD_NOW = _plugin.RTLD_NOW
RTLD_LAZY = _plugin.RTLD_LAZY
RTLD_LOCAL = _plugin.RTLD_LOCAL
RTLD_GLOBAL = _plugin.RTLD_GLOBAL

# What glibc replaces in a path, and there is no way to quote it.
_LOADER_WORDS = [b"$ORIGIN", b"${ORIGIN}", b"$LIB", b"${LIB}", b"$PLATFORM", b"${PLATFORM}"]

if TYPE_CHECKING:

    @overload
    def open(
        path: Path,
        *,
        declare: str | None = None,
        interface: str | None = None,
        host: object = None,
        mode: int | None = None,
        sha256: str | bytes | None = None,
        on_change: str = "error",
    ) -> Plugin[Any]: ...
    @overload
    def open(
        path: Path,
        *,
        declare: str | None = None,
        interface: TypeForm[T],
        host: object = None,
        mode: int | None = None,
        sha256: str | bytes | None = None,
        on_change: str = "error",
    ) -> Plugin[T]: ...


def open(
    path: "str | bytes | os.PathLike[str] | os.PathLike[bytes]",
    *,
    declare: str | None = None,
    interface: "Any" = None,
    host: object = None,
    mode: int | None = None,
    sha256: str | bytes | None = None,
    on_change: str = "error",
) -> "Plugin[Any]":
    """The plugin in the shared library at `path`: loaded and initialised once, the same object each time.

    The file is checked and its declarations are read before any of its code runs; a file that fails the check
    leaves nothing behind.  Symbolic and hard links to one file give one Plugin.  No search path applies: a bare
    name is a file in the current directory (find_library finds the system's).

    Args:
        path: the file.
        declare: C declarations for a library that has none of its own, such as "double cos(double x);".  On a
            plugin that is open already they are added.
        interface: what the plugin must offer, a Protocol or C declarations; every difference is found, and refused,
            before any code of the plugin runs.  See Plugin.bind.
        host: an object with the methods that the plugin's PLUGIN_INIT(const Host *host, ...) wants to call.  It
            lives as long as the process.
        mode: flags for the loader; RTLD_NOW | RTLD_LOCAL unless given.  Go's is RTLD_NOW | RTLD_GLOBAL.
        sha256: of the whole file, 64 hexadecimal digits or 32 bytes.  Another file is refused before anything of it is
            mapped or even looked at.  It holds against all but those who can write to the file while it is open.
        on_change: what to do when the file changed since it was opened: "error", or "keep" the old plugin.

    Returns:
        The Plugin.

    Raises:
        PluginNotFoundError: there is no such file.
        InvalidPluginError, IncompatiblePluginError: the file cannot be used; its code has not run.
        AlreadyLoadedError: another file with the same plugin name is open.
        StalePluginError: the file changed since it was opened.
        InitError: the plugin's init failed, or failed before.
        OpenError: the system or the loader refused; all of the above are OpenErrors, too.
        DeclarationError: `declare` cannot be understood, or contradicts the plugin.

    Safety:
        A library's constructors run with all rights of the process.  Declarations for a library without a manifest
        are believed.
    """
    plain = declare is None and interface is None and host is None and mode is None and sha256 is None
    if plain and on_change == "error":
        known: Plugin[Any] | None = _cache.known(path)
        if known is not None:
            return known
    shown, encoded = encode(path)
    _check_options(mode, on_change)
    pin = None if sha256 is None else _normal(sha256)
    try:
        identity = _plugin.identify(encoded)
    except OSError as error:
        from plugin import _find

        raise _say().not_found(shown, error, _find.hint(shown, "open")) from None
    plugin = _cache.by_file(identity)
    if plugin is None:
        real = _real(encoded, shown, identity)
        plugin = _cache.by_path(os.fsdecode(real))
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
        mode = RTLD_NOW | RTLD_LOCAL
    plugin: Plugin[Any] = _plugin.read(Plugin, real, shown, mode, declare)
    plugin._host = host
    plugin._interface = interface
    plugin._sha256 = None
    if interface is not None:
        from plugin import _bind

        _bind.check(plugin, interface, shown)
    _plugin.load(plugin, real, shown, host)
    return _cache.publish(plugin)


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

    if plugin._sha256 is None:
        with _pin.Pinned(encoded, shown) as file:
            if file.identity != plugin._identity:
                raise _say().stale(shown, plugin.name, plugin.path)
            file.compare(pin)
        plugin._sha256 = pin
    if plugin._sha256 != pin:
        raise _say().other_sha256(shown, pin, plugin._sha256)


def _again(
    plugin: "Plugin[Any]", shown: str | bytes, mode: int | None, declare: str | None, interface: "Any", host: object
) -> "Plugin[Any]":
    """The plugin, if what the caller asks of it is what it is."""
    if mode is not None and mode != plugin._mode:
        raise _say().other_mode(shown, plugin.name, plugin._mode, mode)
    if host is not None and host is not plugin._host:
        raise _say().other_host(shown, plugin.name)
    if declare is not None:
        plugin.declare(declare)
    if interface is not None and interface is not plugin._interface:
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
    if mode is not None and (not isinstance(mode, int) or not mode & (RTLD_NOW | RTLD_LAZY)):
        from plugin import _brief

        raise ValueError(f"plugin.open(): mode needs RTLD_NOW or RTLD_LAZY; it is {_brief.brief(repr(mode))}")


def _real(encoded: bytes, shown: str | bytes, identity: tuple[int, int, int, int]) -> bytes:
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


def reopen(path: str, name: str, declaration: str | None, bare: bool) -> _plugin.Symbol:
    """The Symbol that was pickled; a host's declaration of it goes along, as does a bare type that was asserted."""
    plugin = open(path)
    if bare:
        use = plugin.lookup(name, declaration)
        symbol: _plugin.Symbol = getattr(use, "__self__", use)
        return symbol
    if declaration is not None:
        plugin.declare(declaration)
    return plugin.symbols[name]
