"""The process-wide registry of opened libraries, played by the C program in tests/native, without Python.

Every claim is checked three times: as built, under the thread sanitizer, and under the address (with leaks) and
undefined-behaviour sanitizers.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PARTS = TESTS.parent / "src" / "_plugin"
SOURCES = [PARTS / "registry.c", *sorted((TESTS / "native").glob("registry_*.c"))]
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-g", "-O1", "-pthread"]
WRAPPED = ["-Wl,--wrap=calloc", "-Wl,--wrap=free", "-Wl,--wrap=pthread_cond_wait"]
TIMEOUT = 120  # seconds; every scenario takes less than 5 under any sanitizer, unless threads hang

Play = Callable[[str], None]


def compile_c(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The outcome of the C compiler that makes `program`."""
    return subprocess.run(
        [os.environ.get("CC", "cc"), *arguments, "-o", program], capture_output=True, text=True, timeout=TIMEOUT
    )


def require_sanitizer(folder: Path, flag: str) -> None:
    """Skip where the machine cannot run so much as an empty program under the sanitizer."""
    source = folder / "empty.c"
    program = folder / "empty"
    source.write_text("int main(void) { return 0; }\n")
    if compile_c(program, flag, source).returncode != 0 or subprocess.run([program], timeout=TIMEOUT).returncode != 0:
        pytest.skip(f"no {flag} here")


@pytest.fixture(scope="module", params=["", "thread", "address,undefined"], ids=["plain", "thread", "address"])
def play(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """A function that runs one scenario in a process of its own and expects it to hold."""
    if shutil.which(os.environ.get("CC", "cc")) is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("registry")
    program = folder / "registry_driver"
    sanitize = []
    if request.param:
        sanitize = [f"-fsanitize={request.param}", "-fno-sanitize-recover=all"]
        require_sanitizer(folder, sanitize[0])
    done = compile_c(program, *FLAGS, *sanitize, *WRAPPED, "-I", PARTS, *SOURCES)
    assert done.returncode == 0, done.stderr

    def run(scenario: str) -> None:
        environment = os.environ | {
            "TSAN_OPTIONS": "halt_on_error=1:die_after_fork=0",
            "ASAN_OPTIONS": "detect_leaks=1",
        }
        done = subprocess.run([program, scenario], capture_output=True, text=True, timeout=TIMEOUT, env=environment)
        assert (0, "") == (done.returncode, done.stderr)

    return run


class TestOnce:
    """Init runs once a process."""

    def test_many_threads(self, play: Play) -> None:
        """Of 64 threads that open 100 libraries, one runs init of each, and the others see what it did."""
        play("once")

    def test_same_file(self, play: Play) -> None:
        """Device and inode alone tell that two paths are one library."""
        play("same_file")

    def test_waiters(self, play: Play) -> None:
        """Openers that come during init wait for it and share its success."""
        play("waiters_succeed")

    def test_memory(self, play: Play) -> None:
        """A reservation without memory is refused, leaves nothing behind and can be tried again."""
        play("memory")


class TestFailure:
    """What becomes of a failed init."""

    def test_shared(self, play: Play) -> None:
        """Every open that was under way when init failed gets code and message of that failure."""
        play("failure_shared")

    def test_before(self, play: Play) -> None:
        """Every later open gets the same failure, marked as one from before, and is not to load."""
        play("failure_before")

    def test_unended_message(self, play: Play) -> None:
        """A message without a NUL is kept with one."""
        play("failure_unended")

    def test_memory(self, play: Play) -> None:
        """Where memory is too short for the message, the failure and its code are remembered all the same."""
        play("failure_memory")


class TestName:
    """A plugin name belongs to one file."""

    def test_taken(self, play: Play) -> None:
        """A second file of a name is refused with the first path, whatever became of the first."""
        play("name_taken")

    def test_none(self, play: Play) -> None:
        """Libraries without a manifest are never in each other's way."""
        play("name_none")

    def test_long_path(self, play: Play) -> None:
        """A first path longer than a reason is cut."""
        play("name_long_path")


class TestAbandon:
    """A failed load."""

    def test_forgotten(self, play: Play) -> None:
        """When the last opener abandons a reservation its memory is freed, and another file may have the name."""
        play("abandon")

    def test_many(self, play: Play) -> None:
        """Of many libraries those that stay are found by file and by name, those that were abandoned are not."""
        play("abandon_many")

    def test_kept(self, play: Play) -> None:
        """Abandoning a library that another opener has initialised changes nothing for it."""
        play("abandon_late")

    def test_threads(self, play: Play) -> None:
        """Threads that reserve and abandon the same names leave nothing allocated."""
        play("abandon_churn")


class TestRing:
    """Opens that wait for each other."""

    def test_self(self, play: Play) -> None:
        """A library that opens itself from init gets an error that names it, and can still succeed."""
        play("ring_self")

    def test_nested(self, play: Play) -> None:
        """A ring within one thread is named in order, without the inits outside of the ring."""
        play("ring_nested")

    def test_nameless(self, play: Play) -> None:
        """A library without a manifest is named by its path."""
        play("ring_nameless")

    @pytest.mark.parametrize("threads", [2, 3])
    def test_threads(self, play: Play, threads: int) -> None:
        """Of threads whose inits close a ring one gets an error that names it in order, and the others finish."""
        play(f"ring_{threads}_threads")

    def test_loser_fails(self, play: Play) -> None:
        """If the loser's init then fails, so do the inits that waited for it, one after the other."""
        play("ring_falls")

    def test_none(self, play: Play) -> None:
        """Inits that wait without closing a ring all succeed."""
        play("ring_none")


class TestConstructor:
    """Opens from inside a dlopen of ours."""

    def test_does_not_wait(self, play: Play) -> None:
        """A constructor gets an error that names both libraries, where another opener would wait."""
        play("constructor_waits_not")

    def test_over(self, play: Play) -> None:
        """A thread waits again when its dlopen has returned, even if other threads are inside theirs."""
        play("constructor_over")

    def test_ring(self, play: Play) -> None:
        """A constructor that opens a library which its own thread is loading gets an error that names the ring."""
        play("constructor_ring")


class TestFork:
    """A fork while opens are under way."""

    def test_foreign_init(self, play: Play) -> None:
        """In the child another thread's init is a failure, not waited for, and new waits work."""
        play("fork_foreign_init")

    def test_own_init(self, play: Play) -> None:
        """The forking thread's own inits go on in parent and child."""
        play("fork_own_init")

    def test_foreign_reservation(self, play: Play) -> None:
        """In the child another thread's reservation blocks no name; in the parent it still does."""
        play("fork_foreign_reservation")

    def test_foreign_dlopen(self, play: Play) -> None:
        """In the child a library that another thread was loading is a failure, as it may be half constructed."""
        play("fork_foreign_dlopen")

    def test_own_dlopen(self, play: Play) -> None:
        """The forking thread's own load goes on in the child, as the only one."""
        play("fork_own_dlopen")

    def test_storm(self, play: Play) -> None:
        """Fifty forks amid opens give fifty children that can open, and none hangs."""
        play("fork_storm")
