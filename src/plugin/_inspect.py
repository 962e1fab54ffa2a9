"""inspect: what a file says of itself, read without loading it."""

from __future__ import annotations

import os

from plugin import _errors, _find, _opening, _plugin, _sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Fact:
    """A few named facts, with a repr and equality."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, *values: Any) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is read-only")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.__slots__))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"


class Record(Fact):
    """One record of a manifest.

    Attributes:
        kind: "func", "var", "struct", "enum", "declare", "doc" or "init".
        name: what it declares; empty for "declare".
        text: the C declaration as the compiler saw it.
        size: bytes, by the plugin's compiler; 0 for a function.
        align: bytes, likewise.
    """

    __slots__ = ("kind", "name", "text", "size", "align")
    kind: str
    name: str
    text: str
    size: int
    align: int


class ExportedSymbol(Fact):
    """One symbol that the file exports.

    Attributes:
        name: its name.
        kind: "function", "object", "tls" or "other".
        size: bytes, 0 if the file does not say.
    """

    __slots__ = ("name", "kind", "size")
    name: str
    kind: str
    size: int


class Inspection(Fact):
    """What a shared library says of itself.

    Attributes:
        path: the file as given.
        name, version: of the plugin; None without a manifest.
        abi: (major, minor) of the records; None without a manifest.
        build_id: the linker's, in hexadecimal; None if there is none.
        soname: DT_SONAME; None if there is none.
        digest: what `python -m plugin stamp` put into it, in hexadecimal, and it holds; None if it is not stamped.
        records: the manifest, in the file's order.
        symbols: what the file exports.
        needed: the libraries that it links.
    """

    __slots__ = ("path", "name", "version", "abi", "build_id", "soname", "digest", "records", "symbols", "needed")
    path: str
    name: str | None
    version: str | None
    abi: tuple[int, int] | None
    build_id: str | None
    soname: str | None
    digest: str | None
    records: tuple[Record, ...]
    symbols: tuple[ExportedSymbol, ...]
    needed: tuple[str, ...]


def inspect(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Inspection:
    """What the shared library at `path` says of itself; none of its code runs.

    Args:
        path: any shared library, with a manifest or without.

    Raises:
        PluginNotFoundError: there is no such file.
        InvalidPluginError, IncompatiblePluginError: as open would raise.
    """
    shown, encoded = _opening.encode(path, "inspect")
    try:
        name, version, abi, soname, build_id, digest, records, needed, symbols = _plugin.facts(encoded, shown)
    except _errors.OpenError as error:
        raise _sentences.inspecting(error, _find.hint(shown, "inspect")) from None
    return Inspection(
        os.fsdecode(shown),
        name,
        version,
        abi,
        build_id.hex() or None,
        soname,
        digest,
        tuple(Record(*record) for record in records),
        tuple(ExportedSymbol(*symbol) for symbol in symbols),
        tuple(needed),
    )
