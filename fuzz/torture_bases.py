"""The sound libraries that torture.py damages, and what is asked of each: answer() is 42."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import plugin

C = """
#include <plugin.h>
#include <stdlib.h>
#include <string.h>
PLUGIN("example.com/torture/%s", "1.0.0");
PLUGIN_STRUCT(Point, { int x; int y; });
PLUGIN_VAR(int, level) = 40;
static int two(void) { return 2; }
static int (*volatile indirect[3])(void) = {two, two, two};
static char *kept;
__attribute__((constructor)) static void begin(void) { kept = malloc(8); }
__attribute__((destructor)) static void end(void) { free(kept); }
PLUGIN_FUNC(int, distance, (const Point *point)) { return abs(point->x) + abs(point->y); }
PLUGIN_INIT(plugin_error *error) { if (strlen("init") != 4) plugin_fail(error, 1, "strlen"); }
PLUGIN_FUNC(int, answer, (void)) { Point point = {0, 0}; return level + indirect[1]() + distance(&point); }
"""
CXX = """
#include <plugin.h>
#include <string>
#include <vector>
PLUGIN("example.com/torture/%s", "1.0.0");
struct Base { virtual ~Base() {} virtual int value() const = 0; };
struct Derived : Base { std::string text = "forty-two"; int value() const override { return (int)text.size() + 33; } };
static std::vector<Base *> all{new Derived};
PLUGIN_FUNC(int, answer, (void)) { try { throw all.at(0)->value(); } catch (int value) { return value; } }
"""
VERSIONS = """
#include <plugin.h>
#include <math.h>
#include <stdio.h>
PLUGIN("example.com/torture/%s", "1.0.0");
__asm__(".symver old_answer,helper@V1"); __asm__(".symver new_answer,helper@@V2");
int old_answer(void); int new_answer(void);
int old_answer(void) { return 41; }
int new_answer(void) { char text[32]; return snprintf(text, sizeof text, "%%d", 42) + (int)pow(2, 5); }
static int plus(int x) { return x + 8; }
static int (*pick(void))(int) { return plus; }
int chosen(int x) __attribute__((ifunc("pick"), visibility("hidden")));
PLUGIN_FUNC(int, answer, (void)) { return chosen(new_answer()); }
"""
TLS = """
#include <plugin.h>
#include <errno.h>
PLUGIN("example.com/torture/%s", "1.0.0");
static __thread int first = 40; static _Thread_local int second;
PLUGIN_FUNC(int, answer, (void)) { second = 2; errno = 0; return first + second + errno; }
"""
PLAIN = """
#include <string.h>
int level = 40; static int *const where = &level;
int answer(void); int answer(void) { return *where + (int)strlen("ab"); }
"""
# Relocations in bits: the loader knows them from glibc 2.36 on.
RELR = ["-Wl,-z,pack-relative-relocs"] if platform.libc_ver() >= ("glibc", "2.36") else []
SOURCES: dict[str, tuple[str, str, list[str]]] = {
    "C": (".c", C, []),
    "C++": (".cpp", CXX, RELR),
    "versions": (".c", VERSIONS, ["-Wl,--version-script={folder}/versions", "-lm", "-Wl,-z,lazy"]),
    "TLS": (".c", TLS, ["-Wl,--hash-style=both", "-Wl,-z,noseparate-code"]),
    "lld": (".c", C, ["-fuse-ld=lld"]),
    "plain": (".c", PLAIN, ["-fvisibility=default", "-Wl,--hash-style=sysv"]),
}


class Base(NamedTuple):
    """One sound library."""

    name: str
    stamped: bool
    data: bytes
    declare: str | None


def _compile(folder: Path, name: str) -> Path | None:
    suffix, source, flags = SOURCES[name]
    if "-fuse-ld=lld" in flags and shutil.which("ld.lld") is None:
        return None
    (folder / "versions").write_text("V1 { global: answer; plugin_init; helper; local: *; };\nV2 { helper; } V1;\n")
    file = (folder / name).with_suffix(suffix)
    file.write_text(source % name if "%s" in source else source)
    compiler = os.environ.get("CXX", "c++") if suffix == ".cpp" else os.environ.get("CC", "cc")
    result = folder / f"{name}.so"
    options = ["-shared", "-fPIC", "-O1", "-fvisibility=hidden", f"-I{plugin.get_include()}", "-Wl,--build-id"]
    flags = [flag.format(folder=folder) for flag in flags]
    subprocess.run([*compiler.split(), *options, str(file), *flags, "-s", "-o", str(result)], check=True)
    return result


def bases(folder: Path) -> list[Base]:
    """Each library as it is compiled, and those with a manifest stamped as well; made in `folder`."""
    found = []
    for name in SOURCES:
        path = _compile(folder, name)
        if path is None:
            continue
        plain = name == "plain"
        found.append(Base(name, False, path.read_bytes(), "int answer(void);" if plain else None))
        if not plain:
            subprocess.run([sys.executable, "-m", "plugin", "stamp", str(path)], check=True)
            found.append(Base(name, True, path.read_bytes(), None))
    return found
