"""Build of the extension `plugin._plugin`; everything that can be static stands in pyproject.toml.

Two environment variables change the build: PLUGIN_WERROR=1 makes warnings errors, and
PLUGIN_SANITIZE=address,undefined (or thread) instruments the extension.
"""

import os
import sys
import sysconfig
from glob import glob

from setuptools import Extension, setup

WARNINGS = ["-Wall", "-Wextra", "-Wconversion"]


def system_includes() -> list[str]:
    """Options that make Python.h a system header: its inline functions do not pass our warnings.

    Debian's debug build has links to the headers of the release, beside a pyconfig.h of its own, which gcc passes over
    where it follows the links of system headers: the extension would count no references.
    """
    paths = sysconfig.get_paths()
    follow = ["-fno-canonical-system-headers"] if sysconfig.get_config_var("Py_DEBUG") else []
    return [*follow, *(f"-isystem{folder}" for folder in dict.fromkeys((paths["include"], paths["platinclude"])))]


def sanitize() -> list[str]:
    """Options for the sanitizers that PLUGIN_SANITIZE names, for the compiler and the linker alike."""
    names = os.environ.get("PLUGIN_SANITIZE", "")
    if not names:
        return []
    return [f"-fsanitize={names}", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1"]


def build_base() -> str:
    """A folder for each way to build, so that one build never links the objects of another."""
    words = os.environ.get("PLUGIN_SANITIZE", "").split(",")
    if os.environ.get("PLUGIN_WERROR") == "1":
        words.append("werror")
    return "-".join(["build/plugin", *filter(None, words)])


extension = Extension(
    "plugin._plugin",
    sources=["src/_plugin.c", *sorted(glob("src/_plugin/*.c"))],
    depends=["setup.py", *sorted(glob("src/_plugin/*.h"))],
    include_dirs=["src"],
    libraries=["dl"] if sys.platform.startswith("linux") else [],  # libdl is part of libc from glibc 2.34 on
    extra_compile_args=[
        "-std=c11",
        *WARNINGS,
        "-fvisibility=hidden",
        *(["-fno-plt"] if sys.platform.startswith("linux") else []),  # a jump less each time that Python is called
        *system_includes(),
        *(["-Werror"] if os.environ.get("PLUGIN_WERROR") == "1" else []),
        *sanitize(),
    ],
    extra_link_args=sanitize(),
)

setup(ext_modules=[extension], options={"build": {"build_base": build_base()}})
