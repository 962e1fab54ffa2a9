"""Measurements that want a process of their own: the functions run there, and what they return comes back as JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any


def child(function: Callable[..., Any], *arguments: Any, environment: Mapping[str, str] | None = None) -> Any:
    """What `function(*arguments)` returns in a new process."""
    command = child_command(function, *arguments)
    env = {**os.environ, **(environment or {})}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode != 0:
        raise RuntimeError(f"{function.__name__} failed in its process: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def child_command(function: Callable[..., Any], *arguments: Any) -> list[str]:
    """The command that does it."""
    module = function.__module__
    code = "import sys, json, importlib; m, f, a = sys.argv[1:4]\n"
    code += "print(json.dumps(getattr(importlib.import_module(m), f)(*json.loads(a))))"
    return [sys.executable, "-c", code, module, function.__name__, json.dumps(arguments)]
