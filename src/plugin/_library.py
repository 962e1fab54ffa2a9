"""The Plugin that open returns, and its symbols."""

from __future__ import annotations

from collections.abc import Mapping

from plugin import _errors, _plugin, _sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Generic, TypeVar, overload

    from typing_extensions import TypeForm

    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)

    class _Base(_plugin.Library, Generic[T_co]): ...

else:
    T_co = None

    class _Base(_plugin.Library):
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


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

    Thread-safety: any thread may look up and call.  With a GIL calls hold it; without, unmarked functions of one plugin
    never overlap.
    """

    __slots__ = ("__weakref__", "_host", "_interface", "_sha256")
    _host: object
    _interface: Any
    _sha256: str | None  # of the file that runs, where it was compared

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
        from plugin._open import open as reopen

        return reopen, (self.path,)
