#!/bin/sh
# The demonstration: one host program, two drivers swapped under it, and a library that nobody here wrote.
#
# Usage: tools/demo.sh PYTHON     (a Python that has the package installed; `make demo` runs this)
set -eu

python=$1
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1

say() { printf '\n# %s\n' "$*"; }
run() {
    printf '$'
    printf ' %s' "$@"
    printf '\n'
    "$@"
}

cp -R "$root/examples/." "$work/"
cd "$work/driver"
say "A plugin in C, and a host in Python that shares no code with it."
run "$python" -m plugin build driver.c -o driver.so -v
run "$python" -m plugin inspect driver.so
run "$python" host.py
run "$python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(), sys.argv[1])' host.py

say "Another driver, built in another way, takes its place. The host stays as it is."
run "$python" -m plugin build driver2.c -o driver2.so -v -- -O0 -g
run mv driver2.so driver.so
run "$python" host.py
run "$python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(), sys.argv[1])' host.py

say "A library that knows nothing of all this: the system's zlib, on a real file of more than 1 MB."
cd "$work/zlib"
# The largest text of the standard library is one; it is there wherever Python is.
file=$("$python" -c '
import pathlib, sysconfig
files = [p for p in pathlib.Path(sysconfig.get_path("stdlib")).rglob("*") if p.is_file() and p.suffix in (".py", ".txt", ".so")]
binary = pathlib.Path(__import__("sys").executable).resolve()
print(max([*files, binary], key=lambda p: p.stat().st_size))')
run "$python" compress.py "$file"
