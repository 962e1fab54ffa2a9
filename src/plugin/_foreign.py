"""Addresses behind pointers of other libraries: ctypes and cffi."""

from __future__ import annotations

import sys


def address_of(thing: object) -> int | None:
    """The address that a ctypes or cffi pointer points to, or None if `thing` is no such pointer.

    Arrays and structures of ctypes are not pointers: they are buffers.
    """
    kind = type(thing)
    if kind.__module__ == "_cffi_backend" and "cffi" in sys.modules:
        import cffi  # type: ignore[import-untyped,import-not-found,unused-ignore]

        return int(cffi.FFI().cast("uintptr_t", thing))
    if "ctypes" in sys.modules:
        import ctypes

        if isinstance(thing, (ctypes._Pointer, ctypes.c_void_p, ctypes.c_char_p, ctypes._CFuncPtr)):  # type: ignore[attr-defined]
            return ctypes.cast(thing, ctypes.c_void_p).value or 0
    return None
