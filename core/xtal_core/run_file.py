"""The run file of a report: everything a command was told and everything it read, so that it can be repeated.

It is TOML: `command` and `xtal` (the version that wrote it), `arguments`, one table of the command's options, one table
of options for every plugin that took part, defaults included, and the SHA-256 of every file that was read. Options
that are not there were not given and have no default.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xtal_core.errors import InputError
from xtal_core.provenance import sha256
from xtal_core.readers.text_files import read_text

Value = bool | int | float | str | list[str]

REMEDY = "give the run.toml of a report"

HEADER = (
    "# A run of xtal: `xtal rerun` with this file repeats it. Files that moved can be given their new paths here.\n"
)


@dataclass(frozen=True)
class RunFile:
    """A run.

    Attributes
    ----------
    command, version
        What was called, of which version of xtal.
    arguments
        Its arguments, files by their absolute paths.
    options
        Its options by their long flags without dashes, those of plugins excepted.
    plugins
        {plugin: {option: value}}, "none" for no value.
    files
        {absolute path: SHA-256} of everything that was read.
    """

    command: str
    version: str
    arguments: tuple[str, ...]
    options: Mapping[str, Value] = field(default_factory=dict)
    plugins: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def to_toml(self) -> str:
        """Return the text of the file."""
        lines = [f"command = {_toml(self.command)}", f"xtal = {_toml(self.version)}"]
        lines.append(f"arguments = {_toml(list(self.arguments))}")
        tables = {"options": self.options} | {f"plugins.{_toml(name)}": table for name, table in self.plugins.items()}
        for name, table in tables.items():
            lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
        for path, digest in self.files.items():
            lines += ["", "[[files]]", f"path = {_toml(path)}", f"sha256 = {_toml(digest)}"]
        return HEADER + "\n" + "\n".join(lines) + "\n"

    def check_files(self, path: Path) -> None:
        """Raise InputError, naming the run file at `path`, for a file that is gone or no longer what it was."""
        for name, digest in self.files.items():
            file = Path(name)
            if not file.is_file():
                raise InputError(f"{name}, which the run read, is not there", "correct its path in the run file", path)
            if sha256(file) != digest:
                problem = f"{name} is no longer the file that the run read (SHA-256 {digest[:12]}…)"
                raise InputError(problem, "restore it, or start a new run with the file as it is", path)


def read_run_file(path: str | Path) -> RunFile:
    """Return the run in the file at `path`. Raises InputError for anything that is not one."""
    text = read_text(path, InputError, "the run.toml of a report")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not valid TOML ({error})", REMEDY, path) from None
    run = RunFile(
        command=_entry(content, "command", str, path),
        version=_entry(content, "xtal", str, path),
        arguments=tuple(_entry(content, "arguments", list, path)),
        options=_entry(content, "options", dict, path),
        plugins=_entry(content, "plugins", dict, path),
        files={
            str(_entry(file, "path", str, path)): str(_entry(file, "sha256", str, path))
            for file in _entry(content, "files", list, path)
        },
    )
    for table in (run.options, *run.plugins.values()):
        if not isinstance(table, Mapping) or not all(
            isinstance(v, (bool, int, float, str, list)) for v in table.values()
        ):
            raise InputError("holds a table where an option should be", REMEDY, path)
    return run


def _entry(content: Any, name: str, kind: type, path: str | Path) -> Any:
    value = content.get(name) if isinstance(content, Mapping) else None
    if not isinstance(value, kind):
        raise InputError(f"has no {name}, or not as a {kind.__name__}", REMEDY, path)
    return value


def _toml(value: Value) -> str:
    """Return `value` as TOML. JSON's strings, numbers and lists of them are also TOML's."""
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
