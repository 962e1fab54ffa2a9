"""Run the leak cases of one entry in this process and print, as JSON, what grew: python leak_driver.py ENTRY FOLDER."""

import ctypes
import gc
import json
import os
import sys

WARM_UP = 300  # rounds, in which caches fill
ROUNDS = 2000


class Mallinfo(ctypes.Structure):
    """What mallinfo2 of glibc 2.33 and later returns; `in_use` is bytes."""

    _fields_ = [(name, ctypes.c_size_t) for name in ("a", "b", "c", "d", "mapped", "e", "f", "in_use", "g", "h")]


def malloc_bytes():
    """Bytes that malloc has handed out; without mallinfo2 those of the resident pages."""
    try:
        function = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    function.restype = Mallinfo
    info = function()
    return info.in_use + info.mapped


def measure():
    """What a leak makes grow, by its name."""
    gc.collect()
    with open("/proc/self/maps") as file:
        maps = sum(1 for line in file if ".so" in line)
    return {
        "blocks": sys.getallocatedblocks(),
        "references": getattr(sys, "gettotalrefcount", int)(),
        "bytes": malloc_bytes(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "maps": maps,
    }


def growth(function):
    """How much each measure grew while `function` ran ROUNDS times, the least of three tries."""
    least: dict[str, int] = {}
    for _ in range(WARM_UP):
        function()
    for _ in range(3):
        before = measure()
        for _ in range(ROUNDS):
            function()
        after = measure()
        for name, value in after.items():
            least[name] = min(least.get(name, sys.maxsize), value - before[name])
    return least


def main(entry, folder):
    """Measure each case of the entry."""
    import leak_cases

    cases = leak_cases.cases(folder)
    print(json.dumps({name: growth(function) for (of, name), function in cases.items() if of == entry}))


if __name__ == "__main__":
    main(*sys.argv[1:])
