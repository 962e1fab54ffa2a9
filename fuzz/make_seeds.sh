#!/usr/bin/env bash
# Compile small libraries of every kind that the file check knows, as seeds for fuzz/file_fuzz.c.
# Usage: make_seeds.sh FOLDER. What the machine's tools cannot make is left out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/plain.c" <<'END'
int counter = 3, *pointer = &counter;
int add(int a, int b) { return a + b; }
END
cat >"$work/rich.c" <<'END'
#include <stdio.h>
static int ready;
int *shared = &ready;
__thread int mine = 4;
int *my(void) { return &mine; }
__attribute__((constructor)) static void begin(void) { ready = puts(""); }
__attribute__((destructor)) static void end(void) { ready = 0; }
static int one(void) { return 1; }
static void *choose(void) { return (void *)one; }
int chosen(void) __attribute__((ifunc("choose")));
int twice(void) { return 2 * chosen(); }
END
cat >"$work/class.cpp" <<'END'
#include <string>
struct Base { virtual ~Base() {} virtual std::string name() { return "base"; } };
extern "C" Base *make() { return new Base; }
END
cat >"$work/plugin.c" <<'END'
#include <plugin.h>
PLUGIN("example.com/seed", "1.0");
PLUGIN_STRUCT(Point, { double x; double y; });
PLUGIN_FUNC(double, length, (const Point *p)) { return p->x + p->y; }
PLUGIN_VAR(int, level) = 3;
PLUGIN_DOC(length, "Adds.");
END
echo 'V1 { global: chosen; my; local: *; }; V2 { global: twice; } V1;' >"$work/versions"

# make NAME SOURCE FLAGS...: a seed, small as can be.
make_seed() {
    local name=$1 source=$2 compiler=${CC:-cc}
    shift 2
    [ "${source##*.}" = c ] || compiler=${CXX:-c++}
    "$compiler" -shared -fPIC -Os -g0 -I "$here/../src/plugin/include" "$work/$source" "$@" -Wl,-z,noseparate-code \
        -o "$name.so" 2>/dev/null || { rm -f "$name.so"; echo "no seed: $name"; }
}

make_seed plain plain.c -s
make_seed bare plain.c -s -nostdlib -Wl,--hash-style=gnu
make_seed sysv plain.c -s -nostdlib -Wl,--hash-style=sysv
make_seed both plain.c -s -nostdlib -Wl,--hash-style=both
make_seed relr plain.c -s -nostdlib -Wl,-z,pack-relative-relocs
make_seed rich rich.c -s
make_seed rich_sysv rich.c -s -Wl,--hash-style=sysv
make_seed rich_relr rich.c -s -Wl,-z,pack-relative-relocs
make_seed rich_now rich.c -s -Wl,-z,now
make_seed versions rich.c -s -Wl,--version-script="$work/versions"
make_seed descriptors rich.c -s -mtls-dialect=gnu2
make_seed origin rich.c -s -Wl,-rpath,'$ORIGIN:${ORIGIN}/lib'
make_seed lld rich.c -s -fuse-ld=lld
make_seed gold rich.c -s -fuse-ld=gold
make_seed class class.cpp -s
make_seed plugin plugin.c -s
make_seed plugin_bare plugin.c -s -nostdlib
