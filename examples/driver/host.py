"""The host: opens the plugin that lies in the current folder as driver.so, and runs a query.

It shares no code with the plugin, only a convention: the Protocols below say what the host expects, and lookup
checks that against what the plugin's compiler saw.  Another driver can be put in place of this one; the host stays.
"""

from array import array
from collections.abc import Callable
from typing import Protocol

import plugin


class Rows(Protocol):
    """The result of a query; it stands before its first row."""

    def Next(self) -> bool: ...
    def River(self) -> str: ...
    def Km(self) -> float: ...


class Driver(Protocol):
    """What NewDriver of every driver gives."""

    def Name(self) -> str: ...
    def Query(self, sql: str, arguments: memoryview) -> Rows: ...


def main() -> None:
    """Print the driver's name, the answer to a question, and what it says to a wrong one."""
    p = plugin.open("driver.so")
    new_driver = p.lookup("NewDriver", Callable[[], Driver])
    driver = new_driver()
    print(f"{driver.Name()} ({p.name} {p.version})")

    rows = driver.Query("SELECT * FROM rivers WHERE km > ? AND km < ?", memoryview(array("d", [5000, 6500])))
    while rows.Next():
        print(f"    {rows.River():<12}{rows.Km():>6.0f} km")

    try:
        driver.Query("SELECT * FROM lakes", memoryview(array("d")))
    except plugin.CallError as error:
        print(error)


if __name__ == "__main__":
    main()
