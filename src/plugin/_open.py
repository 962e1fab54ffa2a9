"""open, and the Plugin that it returns: Go's two verbs."""

from __future__ import annotations

import os
from collections.abc import Mapping

from plugin import _cache, _errors, _find, _plugin, _sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Generic, TypeVar, overload

    from typing_extensions import TypeForm

    Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)

    class _Base(_plugin.Library, Generic[T_co]): ...

else:
    T_co = None

    class _Base(_plugin.Library):
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


RTLD_NOW = _plugin.RTLD_NOW
RTLD_LAZY = _plugin.RTLD_LAZY
RTLD_LOCAL = _plugin.RTLD_LOCAL
RTLD_GLOBAL = _plugin.RTLD_GLOBAL


class Symbols(Mapping[str, _plugin.Symbol]):
    """The symbols of a plugin by name, the declared ones first; each is made when it is first asked for."""

    __slots__ = ("_library",)

    def __init__(self, library: _plugin.Library) -> None:
        self._library = library

    def __getitem__(self, name: str) -> _plugin.Symbol:
        try:
            return self._library._symbol(name)
        except _errors.SymbolNotFoundError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._library._names())

    def __len__(self) -> int:
        return len(self._library._names())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._library._names()

    def __repr__(self) -> str:
        return f"<symbols of {self._library.name}: {', '.join(self)}>"


class Plugin(_Base["T_co"]):
    """An open plugin.  The same file gives the same object for the life of the process; it is never unloaded.

    Thread-safety: any thread may look up and call; with a GIL, calls hold it.
    """

    __slots__ = ("__weakref__", "_host", "_interface")
    _host: object
    _interface: Any

    @property
    def symbols(self) -> Symbols:
        """All symbols by name: the declared ones first, then the others that the file exports."""
        return Symbols(self)

    if TYPE_CHECKING:

        @overload
        def bind(self, interface: None = None) -> T_co: ...
        @overload
        def bind(self, interface: str) -> Any: ...
        @overload
        def bind(self, interface: TypeForm[T]) -> T: ...

    def bind(self, interface: Any = None) -> Any:
        """A namespace of the plugin's functions and variables, checked against an interface as a whole.

        Args:
            interface: a Protocol, or C declarations; None takes the one that open was given.  Without any, the
                namespace has everything, each looked up when it is first used.

        Returns:
            An object with the interface's names as attributes: functions as lookup gives them, variables as
            Variables.  A name that the Protocol annotates as `... | None` may be missing and is None then.

        Raises:
            IncompatiblePluginError: with every difference.
        """
        from plugin import _bind

        if interface is None:
            interface = self._interface
        else:
            _bind.check(self, interface, self.path)
        return _bind.bind(self, interface)

    def __repr__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"<plugin {self.name}{version} from {_sentences.quote(self.path)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path,)


if TYPE_CHECKING:

    @overload
    def open(
        path: Path,
        *,
        declare: str | None = None,
        interface: str | None = None,
        host: object = None,
        mode: int | None = None,
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
        on_change: str = "error",
    ) -> Plugin[T]: ...


def open(
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    *,
    declare: str | None = None,
    interface: Any = None,
    host: object = None,
    mode: int | None = None,
    on_change: str = "error",
) -> Plugin[Any]:
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
    shown, encoded = _encode(path)
    _check_options(mode, on_change)
    try:
        identity = _plugin.identify(encoded)
    except OSError as error:
        raise _sentences.not_found(shown, error, _find.hint(shown, "open")) from None
    plugin = _cache.by_file(identity)
    if plugin is None:
        real = _real(encoded, shown)
        plugin = _cache.by_path(os.fsdecode(real))
        if plugin is None:
            plugin = _load(real, shown, mode, declare, interface, host)
            identity = plugin._identity
    changed = identity != plugin._identity  # what by_path found may be another file, or what a thread has just opened
    if changed and on_change == "error":
        raise _sentences.stale(shown, plugin.name, plugin.path)
    return _again(plugin, shown, mode, declare, interface, host)


def _load(
    real: bytes, shown: str | bytes, mode: int | None, declare: str | None, interface: Any, host: object
) -> Plugin[Any]:
    if mode is None:
        mode = RTLD_NOW | RTLD_LOCAL
    plugin: Plugin[Any] = _plugin.read(Plugin, real, shown, mode, declare)
    plugin._host = host
    plugin._interface = interface
    if interface is not None:
        from plugin import _bind

        _bind.check(plugin, interface, shown)
    _plugin.load(plugin, real, shown, host)
    return _cache.publish(plugin)


def _again(
    plugin: Plugin[Any], shown: str | bytes, mode: int | None, declare: str | None, interface: Any, host: object
) -> Plugin[Any]:
    """The plugin, if what the caller asks of it is what it is."""
    if mode is not None and mode != plugin._mode:
        raise _sentences.other_mode(shown, plugin.name, plugin._mode, mode)
    if host is not None and host is not plugin._host:
        raise _sentences.other_host(shown, plugin.name)
    if declare is not None:
        plugin.declare(declare)
    if interface is not None and interface is not plugin._interface:
        from plugin import _bind

        _bind.check(plugin, interface, shown)
        plugin._interface = interface
    return plugin


def _encode(path: Any) -> tuple[str | bytes, bytes]:
    shown = os.fspath(path)
    encoded = os.fsencode(shown)
    if b"\0" in encoded:
        raise ValueError(_sentences.opening(shown, "the path has an embedded null character"))
    return shown, encoded


def _check_options(mode: int | None, on_change: str) -> None:
    if on_change not in ("error", "keep"):
        raise ValueError(f'plugin.open(): on_change is "error" or "keep", not {on_change!r}')
    if mode is not None and (not isinstance(mode, int) or not mode & (RTLD_NOW | RTLD_LAZY)):
        raise ValueError(f"plugin.open(): mode needs RTLD_NOW or RTLD_LAZY; it is {mode!r}")


def _real(encoded: bytes, shown: str | bytes) -> bytes:
    try:
        return _plugin.realpath(encoded)
    except OSError as error:
        raise _sentences.not_found(shown, error) from None


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
