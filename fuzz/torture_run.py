"""Trying the cases of torture.py, each where a crash or a hang ends nothing but a child process."""

import contextlib
import ctypes
import gc
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

from torture_bases import Base
from torture_damage import Case

import plugin

BUSY, IDLE = 2.0, 20.0  # seconds for one case: of the processor's time, and in all
MEMORY = 4 << 30  # bytes of address space for one child: a segment may claim any size
ALLOWED = (plugin.PluginError, TypeError, ValueError, OverflowError)
OUTCOMES = ("refused", "loader", "other error", "foreign", "worked", "wrong", "crash", "hang")
REFUSED, LOADER, OTHER, FOREIGN, WORKED, WRONG, CRASH, HANG = range(len(OUTCOMES))

Outcome = tuple[int, str]  # and the name of the exception or signal, if any
Attempt = Callable[[str, Base], Outcome]

_libc = ctypes.CDLL(None)


def _plugin(path: str, base: Base) -> Outcome:
    """Open with plugin, look up, call."""
    try:
        result = plugin.open(path, declare=base.declare).lookup("answer")()
    except ALLOWED as error:
        phase = getattr(error, "phase", "")
        return {"find": REFUSED, "read": REFUSED, "load": LOADER}.get(phase, OTHER), type(error).__name__
    except Exception as error:
        return FOREIGN, type(error).__name__
    return WORKED if result == 42 else WRONG, ""


def _ctypes(path: str, base: Base) -> Outcome:
    """The same with ctypes."""
    try:
        result = ctypes.CDLL(path).answer()
    except OSError:
        return LOADER, "OSError"
    except AttributeError:
        return OTHER, "AttributeError"
    except Exception as error:
        return FOREIGN, type(error).__name__
    return WORKED if result == 42 else WRONG, ""


ATTEMPTS: dict[str, Attempt] = {"plugin": _plugin, "ctypes": _ctypes}


class Runner:
    """A path in memory, where the cases stand one after the other, and children that open it."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = str(folder / f"case-{number}.so")
        gc.disable()
        gc.freeze()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def run(self, base: Base, cases: list[Case], attempt: Attempt) -> list[Outcome]:
        """What became of each case.

        A child goes on with the next case as long as cases are refused before anything is mapped.
        """
        found: list[Outcome] = []
        while len(found) < len(cases):
            found += self._fork(base, cases[len(found) :], attempt)
        return found

    def _fork(self, base: Base, cases: list[Case], attempt: Attempt) -> list[Outcome]:
        """The outcomes of the first cases, at least one."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self._child(base, cases, attempt, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            found = [(int(line[0]), line[1:]) for line in stream.read().decode().splitlines()]
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            if found and found[-1][0] != REFUSED:
                found.pop()  # it fell when the process ended
            number = os.WTERMSIG(status)
            found.append((HANG if number in (signal.SIGALRM, signal.SIGPROF) else CRASH, signal.Signals(number).name))
        elif not found:
            found.append((CRASH, f"exit status {os.WEXITSTATUS(status)}"))
        return found

    def _child(self, base: Base, cases: list[Case], attempt: Attempt, writer: int) -> None:
        """Never returns.  Ends as C programs do, with the destructors of what was opened."""
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for case in cases:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o755)
            os.write(descriptor, case.apply(base.data))
            os.close(descriptor)
            signal.setitimer(signal.ITIMER_PROF, BUSY)
            signal.setitimer(signal.ITIMER_REAL, IDLE)
            outcome, name = attempt(self.path, base)
            os.write(writer, f"{outcome}{name}\n".encode())
            if outcome != REFUSED:
                break
        _libc.exit(0)
