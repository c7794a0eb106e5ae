"""The folder a report is written to: it appears complete or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xtal_core.errors import OptionError

#: What every report holds, and what those of solutions consist of; nothing else is ever replaced.
RECORD = "result.json"
REPORT_FILES = re.compile(r"\d{2,}\.cif|candidates\.csv|pattern\.(csv|cif)|plot\.png|result\.json|run\.toml")


@contextmanager
def report_folder(target: Path, replace: bool = False, files: re.Pattern[str] = REPORT_FILES) -> Iterator[Path]:
    """Yield a new folder for the files of a report, which becomes `target` when the block ends without an error.

    `replace` allows `target` to hold an earlier report, of which the `files` are replaced. Raises OptionError, before
    anything is written, when `target` is a file or a folder that holds something else.
    """
    _check(target, replace)
    parent = _existing_parent(target)
    draft = parent / f".{target.name}.{os.getpid()}.part"
    try:
        draft.mkdir()
    except OSError as error:
        raise OptionError(f"{parent} cannot be written to ({error.strerror})", "choose another --out") from None
    try:
        yield draft
        _publish(draft, target, files)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _existing_parent(target: Path) -> Path:
    parent = next(ancestor for ancestor in target.absolute().parents if ancestor.exists())
    if not parent.is_dir():
        raise OptionError(f"{parent} is a file", "choose another --out")
    return parent


def _check(target: Path, replace: bool) -> None:
    if target.exists() and not target.is_dir():
        raise OptionError(f"{target} is a file", "give --out a folder that does not exist")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not replace:
        raise OptionError(f"{target} is not empty", "choose another --out, or --force to replace an earlier report")
    if not (target / RECORD).is_file():
        raise OptionError(f"{target} holds something other than an earlier report", "choose another --out")


def _publish(draft: Path, target: Path, files: re.Pattern[str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        if files.fullmatch(old.name):
            old.unlink()
    if not any(target.iterdir()):
        draft.replace(target)
        return
    for new in draft.iterdir():
        new.replace(target / new.name)
