"""Plugin and open: what every program runs that opens a plugin.  What few opens need stands in _opening.py."""

from plugin import _plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any, Generic, TypeVar, overload

    from typing_extensions import TypeForm

    from plugin._symbols import Symbols

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


class Plugin(_Base["T_co"]):
    """An open plugin.  The same file gives the same object for the life of the process; it is never unloaded.

    Thread-safety: any thread may look up and call.  With a GIL calls hold it; without, unmarked functions of one plugin
    never overlap.
    """

    # Unset where a file was opened with nothing but its path: what reads them takes that for None.
    __slots__ = ("__weakref__", "_host", "_interface", "_sha256")
    _host: object
    _interface: "Any"
    _sha256: str | None  # of the file that runs, where it was compared

    @property
    def symbols(self) -> "Symbols":
        """All symbols by name: the declared ones first, then the others that the file exports."""
        from plugin._symbols import Symbols

        return Symbols(self)

    if TYPE_CHECKING:

        @overload
        def bind(self, interface: None = None) -> T_co: ...
        @overload
        def bind(self, interface: str) -> Any: ...
        @overload
        def bind(self, interface: TypeForm[T]) -> T: ...

    def bind(self, interface: "Any" = None) -> "Any":
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
            interface = getattr(self, "_interface", None)
        else:
            _bind.check(self, interface, self.path)
        return _bind.bind(self, interface)

    def __repr__(self) -> str:
        from plugin import _sentences

        version = f" {self.version}" if self.version else ""
        return f"<plugin {self.name}{version} from {_sentences.quote(self.path)}>"

    def __reduce__(self) -> "tuple[Any, ...]":
        return open, (self.path,)


_plugin.own_lookup(Plugin)

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
        opened: Plugin[Any] | None = _plugin.plain(Plugin, path)
        if opened is not None:
            return opened
    from plugin import _opening

    return _opening.open(path, declare, interface, host, mode, sha256, on_change)


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
