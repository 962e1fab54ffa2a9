"""Python types against C declarations: Go's type assertion.

C describes each parameter and result as (name, kind, C spelling, extra, nullable); `kind` is one of "int", "float",
"bool", "str", "bytes", "text" (with a length), "strings", "buffer", "address", "handle", "handles" and "callback".
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Sequence

from plugin import _plugin, _sentences

if typing.TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Described = tuple[str, str, str, Any, bool]
    Signature = tuple[Sequence[Described], Sequence[Described]]

_SCALARS: dict[Any, str] = {int: "int", float: "float", bool: "bool", str: "str", bytes: "bytes"}
_BUFFERS = frozenset({"memoryview", "bytearray", "array", "ndarray", "Buffer", "mmap"})


def assert_type(symbol: _plugin.Symbol, hint: Any) -> None:
    """Return if what is declared of the symbol is what `hint` says.

    Args:
        symbol: a Function or a Variable.
        hint: Callable[[A, B], R], a Protocol with __call__, or for a variable int, float, bool, str or bytes.

    Raises:
        SymbolTypeError: they differ, or nothing is declared; both sides are shown.
        TypeError: `hint` is no type that can be compared.
    """
    plugin = symbol.plugin
    if isinstance(symbol, _plugin.Variable) and (value := symbol._describe()) is not None:
        differences = list(_compare_value(value, hint, set()))
    elif isinstance(symbol, _plugin.Function) and (signature := symbol._describe()) is not None:
        differences = list(compare_function(signature, hint, set()))
    else:
        raise _sentences.untyped(symbol.name, plugin.name, plugin.path)
    if differences:
        asserted = f"{show(hint)}: {'; '.join(differences)}"
        raise _sentences.type_mismatch(symbol.name, plugin.name, plugin.path, asserted, symbol.declaration or "")


def show(hint: Any) -> str:
    """How a type is written."""
    if hint is None or hint is type(None):
        return "None"
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__name__
    return repr(hint).replace("collections.abc.", "").replace("typing.", "")


# ---------------------------------------------------------------- functions


def compare_function(described: Signature, hint: Any, seen: set[Any] | None = None) -> Iterator[str]:
    """The differences between a function and a callable type."""
    seen = set() if seen is None else seen
    if hint in (Callable, typing.Any, object):
        return
    if typing.get_origin(hint) is Callable:
        arguments, result = typing.get_args(hint) or (..., typing.Any)
        expected = list(arguments) if isinstance(arguments, list) else None
    elif is_protocol(hint) and callable(getattr(hint, "__call__", None)):  # noqa: B004
        expected, result = method_types(hint, "__call__")
    else:
        yield f"it is a function, not {show(hint)}"
        return
    yield from compare_signature(described, expected, result, seen)


def compare_signature(
    described: Signature, expected: list[Any] | None, result: Any, seen: set[Any] | None = None
) -> Iterator[str]:
    """The differences between a function and the types of its parameters and result."""
    seen = set() if seen is None else seen
    parameters, results = described
    if expected is not None and len(expected) != len(parameters):
        names = ", ".join(parameter[0] for parameter in parameters)
        yield f"it takes {len(parameters)} argument(s) ({names}), not {len(expected)}"
    elif expected is not None:
        for parameter, hint in zip(parameters, expected, strict=True):
            for difference in _compare_value(parameter, hint, seen, given=True):
                yield f"argument {parameter[0]}: {difference}"
    for difference in _compare_results(results, result, seen):
        yield f"result: {difference}"


def _compare_results(results: Sequence[Described], hint: Any, seen: set[Any]) -> Iterator[str]:
    if hint in (typing.Any, object):
        return
    if len(results) == 1:
        yield from _compare_value(results[0], hint, seen)
    elif not results:
        if hint not in (None, type(None)):
            yield f"None, not {show(hint)}"
    else:
        parts = typing.get_args(hint) if typing.get_origin(hint) is tuple else ()
        if len(parts) != len(results):
            yield f"a tuple of {len(results)}, not {show(hint)}"
        for described, part in zip(results, parts, strict=False):
            yield from _compare_value(described, part, seen)


# ---------------------------------------------------------------- single values


def _compare_value(described: Described, hint: Any, seen: set[Any], *, given: bool = False) -> Iterator[str]:
    """The differences between one value and a type; `given` if the host gives it, else it comes from the plugin."""
    _, kind, spelling, extra, nullable = described
    hint, optional = without_none(hint)
    if hint in (typing.Any, object):
        return
    if optional and given and not nullable:
        yield f"{spelling} is never None"
    elif nullable and not optional and not given:
        yield f"{spelling} may be None"
    if kind == "callback":
        for difference in compare_function(extra, hint, seen):
            yield f"{spelling}: {difference}"
    elif kind == "handle" and extra is not None and is_protocol(hint):
        yield from _compare_struct(extra, hint, seen)
    elif not _is_kind(kind, extra, hint, given):
        yield f"{spelling}, not {show(hint)}"


def _is_kind(kind: str, extra: Any, hint: Any, given: bool) -> bool:
    if kind in ("buffer", "address") and _buffer_name(hint) is not None:
        return kind == "address" or _items_match(extra, hint)
    if kind == "address":
        return hint in (bytes, _plugin.Pointer)
    if kind == "buffer":
        return hint is bytes and not extra[3] and extra[1] <= 1
    if kind == "handle":
        return hint is extra if extra is not None else hint is _plugin.Pointer
    if kind == "int" and extra is not None and hint is extra:
        return True
    if kind == "strings":
        return typing.get_origin(hint) in (list, tuple, Sequence) and typing.get_args(hint)[:1] in ((str,), (bytes,))
    if kind == "handles":
        return hint is tuple or typing.get_origin(hint) is tuple
    if kind == "text":
        return hint is str or hint is bytes
    scalar = next((name for type_, name in _SCALARS.items() if type_ is hint), None)
    return scalar == kind or (kind == "str" and given and hint is bytes)


def _buffer_name(hint: Any) -> str | None:
    origin = typing.get_origin(hint) or hint
    name = getattr(origin, "__name__", "")
    return name if name in _BUFFERS else None


def _items_match(extra: tuple[str, int, int, bool], hint: Any) -> bool:
    """Whether an ndarray's dtype, if told, is that of the C items; `extra` is (format, bytes, dims, written)."""
    letter, size = extra[:2]
    parts = typing.get_args(hint)
    dtypes = typing.get_args(parts[1]) if len(parts) > 1 else ()
    if _buffer_name(hint) != "ndarray" or not dtypes or letter == "" or "numpy" not in sys.modules:
        return True
    if not isinstance(dtypes[0], type):
        return True
    dtype = sys.modules["numpy"].dtype(dtypes[0])
    kind = "f" if letter in "fd" else "b" if letter == "?" else "i" if letter.islower() else "u"
    return bool(dtype.kind == kind and dtype.itemsize == size)


def _resolve(hint: Any) -> Any:
    """The type that a `type X[T] = ...` alias stands for, as newer NumPy's NDArray is one."""
    alias = typing.get_origin(hint) or hint
    while type(alias).__name__ == "TypeAliasType":
        arguments = typing.get_args(hint)
        hint = alias.__value__[arguments] if arguments else alias.__value__
        alias = typing.get_origin(hint) or hint
    return hint


def without_none(hint: Any) -> tuple[Any, bool]:
    """The type without what Annotated adds and without `| None`, and whether that was there."""
    hint = _resolve(hint)
    if typing.get_origin(hint) is typing.Annotated:
        hint = _resolve(hint.__origin__)
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint, False
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    if len(parts) == len(typing.get_args(hint)):
        return hint, False
    return (parts[0] if len(parts) == 1 else typing.Union[tuple(parts)]), True  # noqa: UP007


# ---------------------------------------------------------------- structs against Protocols


def is_protocol(hint: Any) -> bool:
    return isinstance(hint, type) and getattr(hint, "_is_protocol", False)


def members(protocol: type) -> Iterator[str]:
    """The names that a Protocol and its bases ask for."""
    for base in reversed(protocol.__mro__):
        if getattr(base, "_is_protocol", False) and base.__module__ != "typing":
            yield from (name for name in inspect.get_annotations(base) if not name.startswith("_"))
            yield from (
                name
                for name, value in base.__dict__.items()
                if (not name.startswith("_") or name == "__call__") and (callable(value) or isinstance(value, property))
            )


def method_types(protocol: type, name: str) -> tuple[list[Any], Any]:
    """The types of a method's parameters, without self, and of its result."""
    method = inspect.getattr_static(protocol, name)
    if not isinstance(method, types.FunctionType):
        raise TypeError(f"{protocol.__name__}.{name} is not a plain method")
    try:
        hints = typing.get_type_hints(method)
    except (NameError, AttributeError, TypeError) as error:
        raise TypeError(f"the annotations of {protocol.__name__}.{name} cannot be evaluated: {error}") from None
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return [hints.get(parameter.name, typing.Any) for parameter in parameters], hints.get("return", typing.Any)


def _compare_struct(struct: Any, protocol: type, seen: set[Any]) -> Iterator[str]:
    """The differences between a struct's methods and a Protocol; each pair is compared once."""
    if (struct, protocol) in seen:
        return
    seen.add((struct, protocol))
    methods = struct.__plugin_methods__
    for name in dict.fromkeys(members(protocol)):
        where = f"{struct.__name__}.{name}"
        if name not in methods:
            yield f"{struct.__name__} has no method {name}"
        elif not isinstance(inspect.getattr_static(protocol, name, None), types.FunctionType):
            yield f"{where} is a method, not an attribute"
        else:
            described, nullable = methods[name]
            if nullable:
                yield f"{where} may be None"
            for difference in compare_signature(described, *method_types(protocol, name), seen):
                yield f"{where}: {difference}"
