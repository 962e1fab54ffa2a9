"""The symbols of a plugin, as a mapping."""

from __future__ import annotations

from collections.abc import Mapping

from plugin import _errors, _plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


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
