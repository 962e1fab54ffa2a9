"""The system's zlib, which knows nothing of plugins: declared in C, called from Python, compared with Python's own.

Usage: python compress.py FILE
"""

import sys
import zlib
from pathlib import Path

import plugin

# As in zlib.h, and one word more: what a pointer points to, which C leaves to the manual.  The lengths of `source` and
# `dest` are taken from the buffers; `destLen` goes in as the room in `dest` and comes out as what was used of it.
DECLARATIONS = """
    typedef unsigned char Bytef;
    typedef unsigned int uInt;
    typedef unsigned long uLong, uLongf;

    const char *zlibVersion(void);
    uLong compressBound(uLong sourceLen);
    uLong crc32(uLong crc, const Bytef *buf plugin_count(len), uInt len);
    int compress2(Bytef *dest plugin_count(*destLen), uLongf *destLen plugin_inout,
                  const Bytef *source plugin_count(sourceLen), uLong sourceLen, int level);
    int uncompress(Bytef *dest plugin_count(*destLen), uLongf *destLen plugin_inout,
                   const Bytef *source plugin_count(sourceLen), uLong sourceLen);
"""
LEVEL = 6


class Zlib:
    """Four functions of the library, with Python's manners: bytes in, bytes out, errors raised."""

    def __init__(self) -> None:
        self.library = p = plugin.open(plugin.find_library("z"), declare=DECLARATIONS)
        self.version = p.lookup("zlibVersion")
        self.crc32 = p.lookup("crc32")
        self._bound = p.lookup("compressBound")
        self._compress = p.lookup("compress2")
        self._uncompress = p.lookup("uncompress")

    def compress(self, data: bytes, level: int) -> bytes:
        """The data, compressed."""
        room = bytearray(self._bound(len(data)))
        return self._result("compress2", room, *self._compress(room, data, level))

    def uncompress(self, data: bytes, size: int) -> bytes:
        """What was compressed, `size` bytes of it."""
        room = bytearray(size)
        return self._result("uncompress", room, *self._uncompress(room, data))

    @staticmethod
    def _result(function: str, room: bytearray, status: int, used: int) -> bytes:
        if status != 0:
            raise ValueError(f"{function}: zlib's status {status}")
        return bytes(memoryview(room)[:used])


def main(path: str) -> int:
    """Compress, check and restore the file; 1 if anything differs from what Python's zlib module does."""
    data = Path(path).read_bytes()
    library = Zlib()
    packed = library.compress(data, LEVEL)
    restored = library.uncompress(packed, len(data))
    checks = {
        "restored equals the file": restored == data,
        "crc32 equals Python's": library.crc32(0, data) == zlib.crc32(data),
        "Python's zlib restores it": zlib.decompress(packed) == data,
        "compressed equals Python's": packed == zlib.compress(data, LEVEL),
    }
    if library.version() != zlib.ZLIB_RUNTIME_VERSION:  # another release may choose other, equally good, bytes
        del checks["compressed equals Python's"]

    print(f"{library.library.path}: zlib {library.version()}, Python's is {zlib.ZLIB_RUNTIME_VERSION}")
    print(f"{path}: {len(data):,} bytes")
    print(f"compressed to {len(packed):,} bytes, {len(packed) / max(len(data), 1):.1%}")
    for check, holds in checks.items():
        print(f"{check}: {'yes' if holds else 'NO'}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python compress.py FILE")
    sys.exit(main(sys.argv[1]))
