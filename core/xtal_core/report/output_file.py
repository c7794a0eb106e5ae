"""Files that are complete or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xtal_core.errors import OptionError


def check_output(path: Path, option: str, suffixes: tuple[str, ...], replace: bool) -> None:
    """Raise OptionError unless a file with one of `suffixes` can be written to `path`, which `option` named."""
    if path.suffix.lower() not in suffixes:
        raise OptionError(f"{option} {path} has no known ending", f"end it in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise OptionError(f"there is no folder {path.parent}", f"create it, or choose another {option}")
    if path.is_dir():
        raise OptionError(f"{path} is a folder", f"choose another {option}")
    if path.exists() and not replace:
        raise OptionError(f"{path} exists", f"choose another {option}, or --force to replace it")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a draft's path, which becomes `path` when the block ends without an error and disappears otherwise."""
    draft = path.with_name(f".{path.name}.part")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
