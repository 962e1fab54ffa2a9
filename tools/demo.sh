#!/bin/sh
# The demonstration: one host program, two drivers swapped under it, and libraries that nobody here wrote.
#
# Usage: tools/demo.sh FOLDER     (the bin folder of a virtual environment that has the package; see `make demo`)
set -eu
exec 2>&1

bin=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
PATH="$bin:$PATH"
export PATH PYTHONDONTWRITEBYTECODE=1

say() { printf '\n# %s\n' "$*"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}
sha256() {
    if command -v sha256sum >/dev/null; then run sha256sum "$1"; else run shasum -a 256 "$1"; fi
}

# The smallest file of at least 1 MB that belongs to Python itself: every machine that gets here has one.
real_file() {
    python - <<'END'
import pathlib, sys, sysconfig

files = [p for p in pathlib.Path(sysconfig.get_path("stdlib")).rglob("*") if "-packages" not in str(p) and p.suffix != ".whl"]
files.append(pathlib.Path(sys.executable).resolve())
files.append(pathlib.Path(sysconfig.get_config_var("LIBDIR") or "/", sysconfig.get_config_var("INSTSONAME") or "-"))
sizes = [(p.stat().st_size, str(p)) for p in files if p.is_file()]
print(min(item for item in sizes if item[0] >= 1 << 20)[1])
END
}

say "The examples are run on a copy, so that the clone stays clean."
run rm -rf build/demo
run mkdir -p build/demo
run cp -R examples/driver examples/zlib examples/ladspa build/demo
run cd build/demo/driver

say "A plugin in C, and a host in Python that shares no code with it."
run python -m plugin build driver.c -o driver.so -v
run python -m plugin inspect driver.so
run python host.py
sha256 host.py

say "Another driver, built in another way, takes its place. The host is not touched."
run python -m plugin build driver2.c -o new.so -v -- -O0 -g
run mv new.so driver.so
run python host.py
sha256 host.py

say "A library that knows nothing of all this: the system's zlib, on a real file of more than 1 MB."
run cd ../zlib
run python compress.py "$(real_file)"

say "A standard's effect: LADSPA's low-pass over a NumPy signal, its response checked against its definition."
run cd ../ladspa
python -c 'import numpy' 2>/dev/null || run python -m pip install -qq --disable-pip-version-check numpy || {
    echo "NumPy could not be installed, which this example wants."
    exit 0
}
status=0
run python effect.py || status=$?
[ "$status" != 2 ] || exit 0 # there is no effect here, and it said how to get one
[ "$status" = 0 ] || exit "$status"
run ls -l lpf-before.wav lpf-after.wav lpf.png
