"""What a result depends on: versions, plugins and their options, files, seed. Equal records give equal results."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import xtal_core
from xtal_core.errors import fault_of
from xtal_core.interfaces import UsesFiles
from xtal_core.pattern import Pattern
from xtal_core.plan import Tool, Tools

#: Packages whose version may change numbers, as far as they are installed; torch only where a plugin uses it.
PACKAGES = ("numpy", "scipy", "pymatgen", "spglib", "gemmi", "POT", "dscribe")


def provenance(pattern: Pattern, tools: Tools) -> dict[str, Any]:
    """Return the record of a result: everything but `date` is the same for the same run."""
    packages = [*PACKAGES, *(["torch"] if "torch" in sys.modules else [])]
    versions = {name: _installed_version(name) for name in packages}
    return {
        "xtal": xtal_core.__version__,
        "python": platform.python_version(),
        "packages": {name: number for name, number in versions.items() if number is not None},
        "plugins": [_describe(tool) for tool in tools.members],
        "seed": tools.plan.seed,
        "jobs": tools.plan.jobs,
        "candidates": tools.plan.n_candidates,
        "input": describe_files([Path(source) for source in (pattern.source, pattern.blank_source) if source]),
        "command_line": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def describe_files(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return path and SHA-256 of each file; the hash of one that does not exist is None."""
    return [{"path": str(path), "sha256": sha256(path) if path.is_file() else None} for path in paths]


def sha256(path: Path) -> str:
    """Return the SHA-256 of the file at `path`, in hexadecimal digits."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


# Size and time of change are part of the key, so that a file that changed is read again.
@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, modified: int) -> str:  # noqa: ARG001
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _describe(tool: Tool) -> dict[str, Any]:
    files: Sequence[Path] = ()
    if isinstance(tool.instance, UsesFiles):
        with fault_of(tool.offer.record.name):
            files = tool.instance.files()
    return {
        "kind": tool.offer.kind,
        "name": tool.offer.record.name,
        "distribution": tool.offer.distribution,
        "version": tool.offer.version,
        "options": dict(tool.options),
        "files": describe_files(files),
    }
