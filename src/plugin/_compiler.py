"""Finding and running the C and C++ compilers: what the `build` verb knows of them, and nothing of plugins."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence

CXX_SUFFIXES = frozenset({".cc", ".cpp", ".cxx", ".c++", ".C"})
C_SUFFIXES = frozenset({".c", ".s", ".S"})
LINKER_SUFFIXES = frozenset({".o", ".a"})

_CANDIDATES = {"CC": ("cc", "gcc", "clang"), "CXX": ("c++", "g++", "clang++")}
_HOW = (
    "Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; Alpine: apk add build-base;"
    " macOS: xcode-select --install"
)

# Options for the linker alone, which a compiler given -c would warn of; those of a set take the next word as value.
_LINK_PREFIXES = tuple("-l -L -Wl, -fuse-ld= -static-lib -shared-lib -rdynamic -nostartfiles -nodefaultlibs".split())
_LINK_WITH_VALUE = frozenset({"-Xlinker", "-z", "-T", "-u", "-framework", "-l", "-L"})
_OTHER_WITH_VALUE = frozenset(
    "-D -I -U -F -x -arch -target -include -imacros -isystem -iquote -idirafter -isysroot --sysroot --param"
    " -Xclang -Xpreprocessor -Xassembler -MF -MT -MQ".split()
)


class BuildError(Exception):
    """Why a plugin was not built, as one sentence; a compiler's own words are on the standard error before it."""


def words(variable: str) -> list[str]:
    """The words of an environment variable, as a shell would split them; none if it is not set.

    Raises:
        BuildError: a quote in it is not closed.
    """
    try:
        return shlex.split(os.environ.get(variable, ""))
    except ValueError as error:
        raise BuildError(f"{variable} in the environment: {error}") from None


def find(variable: str) -> list[str]:
    """The command that starts a compiler: what CC or CXX says, or the first of the usual names that is there.

    Args:
        variable: "CC" or "CXX".

    Raises:
        BuildError: there is none; it says how to get one.
    """
    chosen = words(variable)
    if chosen:
        if shutil.which(chosen[0]) is None:
            raise BuildError(f"no compiler: {variable} is {chosen[0]!r}, which is not there or cannot be run")
        return chosen
    for name in _CANDIDATES[variable]:
        if shutil.which(name) is not None:
            return [name]
    language = "C" if variable == "CC" else "C++"
    tried = ", ".join(_CANDIDATES[variable])
    raise BuildError(f"no {language} compiler: none of {tried} is on the PATH. {_HOW}. {variable} names another")


def split_flags(flags: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags for compiling, and those for linking: what only a linker takes is kept from the compiler."""
    compiling: list[str] = []
    linking: list[str] = []
    rest = iter(flags)
    for flag in rest:
        value = [next(rest, "")] if flag in _LINK_WITH_VALUE or flag in _OTHER_WITH_VALUE else []
        linking += [flag, *value]
        is_input = not flag.startswith("-")
        if not (is_input or flag in _LINK_WITH_VALUE or flag.startswith(_LINK_PREFIXES)):
            compiling += [flag, *value]
    return compiling, linking


def run(command: Sequence[str], *, verbose: bool, quiet: bool = False) -> None:
    """Run a compiler; what it says passes through unchanged.

    Args:
        command: the words of the command.
        verbose: print the command first, as a shell would take it.
        quiet: keep its warnings back, for a command that is run again; a failure is shown all the same.

    Raises:
        BuildError: it failed or could not be started.
    """
    if verbose:
        print(shlex.join(command), file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE if quiet else None, check=False)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started: {error.strerror}") from None
    if done.returncode == 0:
        return
    if quiet:
        sys.stderr.write(done.stderr.decode(errors="replace"))
    if done.returncode < 0:
        raise BuildError(f"{command[0]} was killed by signal {-done.returncode}")
    raise BuildError(f"{command[0]} failed")
