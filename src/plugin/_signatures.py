"""Signatures of functions for inspect, with annotations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from plugin import _plugin, _sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from plugin._types import Described

_PLAIN: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "bytes": bytes,
    "text": str,
    "strings": Sequence[str],
    "buffer": memoryview,
    "address": memoryview,
    "handles": tuple,
}


def signature_of(function: _plugin.Function) -> inspect.Signature:
    """The signature of a Function, with annotations."""
    described = function._describe()
    if described is None:
        plugin = function.plugin
        raise _sentences.untyped(function.name, plugin.name, plugin.path)
    parameters, results = described
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    annotations = [_annotation(result) for result in results]
    result = None if not annotations else annotations[0] if len(annotations) == 1 else tuple[tuple(annotations)]  # type: ignore[misc]
    return inspect.Signature(
        [inspect.Parameter(parameter[0], kind, annotation=_annotation(parameter)) for parameter in parameters],
        return_annotation=result,
    )


def _annotation(described: Described) -> Any:
    _, kind, _, extra, nullable = described
    annotation: Any
    if kind == "handle":
        annotation = extra if extra is not None else _plugin.Pointer
    elif kind == "callback":
        parameters, results = extra
        annotation = Callable[[_annotation(one) for one in parameters], _annotation(results[0]) if results else None]
    elif kind == "int" and extra is not None:
        annotation = extra
    else:
        annotation = _PLAIN[kind]
    return annotation | None if nullable else annotation
