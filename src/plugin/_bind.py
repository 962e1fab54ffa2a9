"""Contracts: a whole plugin against an interface, and the namespace that it becomes.

An interface is a Protocol, whose methods are the plugin's functions, or C declarations.
"""

from __future__ import annotations

import inspect
import types
import typing

from plugin import _errors, _plugin, _sentences, _types

if typing.TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from plugin._open import Plugin


def check(library: _plugin.Library, interface: Any, shown: Any) -> None:
    """Return if the plugin is what the interface asks for; it need not be loaded.

    Args:
        library: read, and loaded or not.
        interface: a Protocol class, or C declarations.
        shown: the path for messages.

    Raises:
        IncompatiblePluginError: with every difference.
        DeclarationError: the interface's C cannot be understood.
        TypeError: the interface is neither.
    """
    if isinstance(interface, str):
        differences = list(_c_differences(library, interface))
    elif _types.is_protocol(interface):
        differences = list(_protocol_differences(library, interface))
    else:
        raise TypeError(f"an interface is a Protocol or C declarations, not {_sentences.brief(repr(interface))}")
    if differences:
        raise _sentences.incompatible(shown, library.name, differences)


def _c_differences(library: _plugin.Library, text: str) -> Iterator[str]:
    for name, expected, found, equal in library._compare(text):
        if not equal:
            yield f'{name}: expected "{expected}", found {_quoted(found)}'


def _quoted(found: str | None) -> str:
    return "no declaration of it" if found is None else f'"{found}"'


def _protocol_differences(library: _plugin.Library, protocol: type) -> Iterator[str]:
    for name in dict.fromkeys(_types.members(protocol)):
        try:
            described = library._described(name)
        except _errors.DeclarationError as error:
            yield f"{name}: {error}"
            continue
        hint, optional = _asked(protocol, name)
        if described is None:
            if not optional:
                expected = "a function" if isinstance(hint, types.FunctionType) else _types.show(hint)
                yield f"{name}: expected {expected}, found no declaration of it"
            continue
        for difference in _compare(described, protocol, name, hint):
            yield f'{name}: {difference}, found "{described[1]}"'


def _asked(protocol: type, name: str) -> tuple[Any, bool]:
    """The type that a Protocol gives a name, and whether the name may be missing."""
    if isinstance(inspect.getattr_static(protocol, name, None), types.FunctionType):
        return inspect.getattr_static(protocol, name), False
    return _types.without_none(typing.get_type_hints(protocol)[name])


def _compare(described: tuple[str, str, Any], protocol: type, name: str, hint: Any) -> Iterator[str]:
    kind, _, signature = described
    if kind == "variable":
        if hint not in (_plugin.Variable, typing.Any, object):
            yield "it is a variable: annotate it plugin.Variable"
    elif isinstance(hint, types.FunctionType):
        yield from _types.compare_signature(signature, *_types.method_types(protocol, name))
    else:
        yield from _types.compare_function(signature, hint)


def bind(plugin: Plugin[Any], interface: Any) -> Any:
    """A module object whose attributes are the plugin's functions and variables, those that the interface names.

    A module, because the interpreter finds attributes of nothing else as fast.
    """
    namespace = types.ModuleType(plugin.name, f"The plugin {plugin.name} from {plugin.path}.")
    if isinstance(interface, str):
        names = [name for name, *_ in plugin._compare(interface)]
    elif interface is not None:
        names = list(dict.fromkeys(_types.members(interface)))
    else:
        return _everything(plugin, namespace)
    for name in names:
        missing = plugin._described(name) is None
        setattr(namespace, name, None if missing else plugin.lookup(name))
    return namespace


def _everything(plugin: Plugin[Any], namespace: types.ModuleType) -> types.ModuleType:
    """All symbols, each looked up when it is first used."""

    def get(name: str) -> Any:
        try:
            value = plugin.lookup(name)
        except _errors.SymbolNotFoundError as error:
            raise AttributeError(str(error)) from None
        setattr(namespace, name, value)
        return value

    namespace.__getattr__ = get  # type: ignore[method-assign]
    namespace.__dir__ = plugin._names  # type: ignore[method-assign]
    return namespace
