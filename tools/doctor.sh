#!/bin/sh
# Says what this machine lacks to build and try the project, one sentence each; silent if nothing is missing.
#
# Usage: tools/doctor.sh PYTHON
set -u

python=${1:-python3}
missing=0

lacks() {
    printf 'missing: %s\n' "$*" >&2
    missing=1
}

others() {
    for version in 3.15 3.14 3.13 3.12 3.11; do
        if "python$version" -c '' >/dev/null 2>&1; then
            printf ' (python%s is here: make PYTHON=python%s ...)' "$version" "$version"
            return
        fi
    done
}

# Prints nothing if the words of $1 start a compiler that makes an object file of a program that includes $2.
compiles() {
    folder=$(mktemp -d) || return 1
    printf '#include <%s>\nint main(void) { return 0; }\n' "$2" >"$folder/try.c"
    # shellcheck disable=SC2086  # the compiler may be several words, and so are the options
    $1 ${3-} -c "$folder/try.c" -o "$folder/try.o" >/dev/null 2>&1
    status=$?
    rm -rf "$folder"
    return $status
}

check_python() {
    if ! "$python" -c '' >/dev/null 2>&1; then
        lacks "Python 3.11 or later: '$python' does not start$(others). Debian, Ubuntu: apt install python3-dev" \
            "python3-venv; Fedora: dnf install python3-devel; macOS: brew install python"
        return 1
    fi
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        lacks "Python 3.11 or later: '$python' is $("$python" -V 2>&1)$(others)"
        return 1
    fi
    if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        lacks "the modules venv and ensurepip of '$python'. Debian, Ubuntu: apt install python3-venv"
    fi
}

check_compiler() {
    compiler=${CC:-$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("CC") or "cc")')}
    if ! command -v "${compiler%% *}" >/dev/null 2>&1; then
        lacks "a C compiler: '${compiler%% *}', which '$python' builds extensions with, is not on the PATH (CC names" \
            "another). Debian, Ubuntu: apt install gcc libc6-dev; Fedora: dnf install gcc; macOS: xcode-select --install"
    elif ! compiles "$compiler" stdio.h; then
        lacks "the C library's headers: '$compiler' cannot compile a program that includes stdio.h. Debian, Ubuntu:" \
            "apt install libc6-dev; Fedora: dnf install glibc-devel; Alpine: apk add musl-dev"
    elif ! compiles "$compiler" Python.h "$("$python" -c '
import sysconfig; print("-I" + sysconfig.get_path("include"), "-I" + sysconfig.get_path("platinclude"))')"; then
        lacks "Python's headers: there is no usable Python.h for '$python'. Debian, Ubuntu: apt install python3-dev;" \
            "Fedora: dnf install python3-devel; Alpine: apk add python3-dev"
    fi
}

check_python && check_compiler
exit "$missing"
