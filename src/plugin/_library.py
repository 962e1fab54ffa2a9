"""The Plugin that open returns."""

from plugin import _plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, TypeVar, overload

    from typing_extensions import TypeForm

    from plugin._symbols import Symbols

    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)

    class _Base(_plugin.Library, Generic[T_co]): ...

else:
    T_co = None

    class _Base(_plugin.Library):
        __slots__ = ()
        __class_getitem__ = classmethod(type(list[int]))


class Plugin(_Base["T_co"]):
    """An open plugin.  The same file gives the same object for the life of the process; it is never unloaded.

    Thread-safety: any thread may look up and call.  With a GIL calls hold it; without, unmarked functions of one plugin
    never overlap.
    """

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
            interface = self._interface
        else:
            _bind.check(self, interface, self.path)
        return _bind.bind(self, interface)

    def __repr__(self) -> str:
        from plugin import _sentences

        version = f" {self.version}" if self.version else ""
        return f"<plugin {self.name}{version} from {_sentences.quote(self.path)}>"

    def __reduce__(self) -> "tuple[Any, ...]":
        from plugin._open import open as reopen

        return reopen, (self.path,)


_plugin.own_lookup(Plugin)
