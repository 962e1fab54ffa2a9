"""The declarations for cffi, and its compiled module."""

import contextlib
import re
from pathlib import Path

from . import build

HEADER = (build.NATIVE / "work.h").read_text(encoding="utf-8")
# cffi reads C without a preprocessor.
DECLARATIONS = re.sub(r"^#.*$|^/\* An .*\*/$", "", HEADER, flags=re.MULTILINE)


def module() -> Path:
    """The compiled module for API mode, with one callback for all callables."""
    import cffi

    target = build.FOLDER / f"_work_cffi{build.SUFFIX}"
    if not build.fresh(target, [Path(__file__), *build.NATIVE.glob("*.h"), build.work_object()]):
        ffi = cffi.FFI()
        ffi.cdef(DECLARATIONS + '\nextern "Python" int64_t work_callback(int64_t i, void *data);\n')
        ffi.set_source("_work_cffi", '#include "work.h"')
        source = build.FOLDER / "_work_cffi.c"
        with contextlib.redirect_stdout(None):
            ffi.emit_c_code(str(source))
        build.extension("_work_cffi", [source])
    return target
