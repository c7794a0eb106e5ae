"""Every error `xtal` raises on purpose.

XtalError                       anything the user can read and act upon; exit code 1
├── InputError                  bad input: names the file, the line and what to do; exit code 2
│   ├── PatternError            a powder pattern that cannot be read as one
│   ├── StructureError          a crystal structure that cannot be read or used
│   └── OptionError             a command-line value, plugin option or name that is not known
└── PluginError                 a plugin's fault: names the plugin; exit code 3
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class XtalError(Exception):
    """Base of every deliberate error; `str(error)` is one line for the user."""

    exit_code = 1


class InputError(XtalError):
    """Input that cannot be used.

    `remedy` says what to do about it; `path` and `line` (counted from 1) say where it is.
    """

    exit_code = 2

    def __init__(self, problem: str, remedy: str = "", path: str | Path | None = None, line: int | None = None):
        self.problem = problem
        self.remedy = remedy
        self.path = None if path is None else str(path)
        self.line = line
        place = "" if path is None else f"{path}: " if line is None else f"{path}, line {line}: "
        text = f"{place}{problem}" + (f"; {remedy}" if remedy else "")
        super().__init__(" ".join(text.split()))


class PatternError(InputError):
    """A powder pattern that cannot be read as one."""


class StructureError(InputError):
    """A crystal structure that cannot be read or used."""


class OptionError(InputError):
    """A command-line value, plugin option or name that is not known."""


class PluginError(XtalError):
    """A plugin that failed while it was asked for its work."""

    exit_code = 3

    def __init__(self, plugin: str, problem: str):
        self.plugin = plugin
        self.problem = problem
        super().__init__(" ".join(f"plugin {plugin}: {problem}".split()))


@contextmanager
def fault_of(plugin: str) -> Iterator[None]:
    """Raise whatever goes wrong unexpectedly inside the block as a PluginError that names `plugin`."""
    try:
        yield
    except XtalError:
        raise
    except Exception as error:
        raise PluginError(plugin, f"{type(error).__name__}: {error}") from error
