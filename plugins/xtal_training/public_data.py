"""Public data sets of structures: where they are, fetching them, and knowing later that they are still the same.

Nobody publishes hashes of these files. What can be verified is: that a file arrived whole, that it is a table of
structures down to its last row, and that it is the same as when it was first fetched, whose SHA-256 is recorded beside
it. A file that is fetched again must be that one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from xtal_core.download import download
from xtal_core.errors import InputError
from xtal_core.progress import Progress
from xtal_core.provenance import sha256
from xtal_core.readers.structure_table import iterate_structure_table

RECORD = "checksums.json"


@dataclass(frozen=True)
class PublicSet:
    """A public data set.

    Attributes
    ----------
    url
        The folder its files are in.
    files
        Their names.
    about
        What it is, whose, and under which licence.
    """

    url: str
    files: tuple[str, ...]
    about: str


PUBLIC_SETS: Mapping[str, PublicSet] = {
    "mp20": PublicSet(
        "https://raw.githubusercontent.com/txie-93/cdvae/main/data/mp_20",
        ("train.csv", "val.csv", "test.csv"),
        "MP-20: Materials Project structures of up to 20 atoms, split by Xie et al., CDVAE (2021). Data CC BY 4.0, "
        "Jain et al., APL Mater. 1, 011002 (2013)",
    )
}


@dataclass(frozen=True)
class FileRecord:
    """What was recorded of a file.

    Attributes
    ----------
    sha256, bytes, rows
        What it is.
    url
        Where it was fetched from; empty for a file that somebody had put there.
    date
        When it was recorded.
    """

    sha256: str
    bytes: int
    rows: int
    url: str
    date: str


@dataclass(frozen=True)
class FetchedFile:
    """A file that is there now.

    Attributes
    ----------
    record
        What it is.
    state
        What was done and verified, in words.
    """

    path: Path
    record: FileRecord
    state: str


def fetch_public_set(public: PublicSet, folder: Path, url: str | None, progress: Progress) -> Iterator[FetchedFile]:
    """Yield the files of a public set as each is in `folder`, verified; interrupted downloads are continued.

    Parameters
    ----------
    public
        Which set.
    folder
        Where to put its files, and their record.
    url
        A mirror: the folder there that holds the files. None for the original.
    progress
        Where to show how much has arrived.

    Raises
    ------
    DownloadError
        When the server cannot be reached; says what can be done without a network.
    InputError
        For a file that is not what was recorded, or not a table of structures.
    """
    records = _read_records(folder / RECORD)
    for name in public.files:
        path, known = folder / name, records.get(name)
        origin = f"{(url or public.url).rstrip('/')}/{name}"
        was_here = path.is_file()
        if not was_here:
            remedy = (
                "connect to the network, name a mirror by --url, or get "
                f"{', '.join(public.files)} elsewhere, put them into {folder} and repeat the command"
            )
            expected = None if known is None else known.sha256
            download(origin, path, sha256=expected, progress=progress, remedy=remedy)
        elif known is not None and sha256(path) != known.sha256:
            problem = f"it is not the file that was recorded on {known.date}"
            raise InputError(problem, f"remove it to fetch it again, or remove {RECORD} to accept it", path)
        if known is not None:
            since = f"the same as recorded on {known.date}, by SHA-256"
            yield FetchedFile(path, known, since if was_here else f"fetched again; {since}")
            continue
        rows = _count_rows(path, remove=not was_here)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = FileRecord(sha256(path), path.stat().st_size, rows, "" if was_here else origin, now)
        records[name] = record
        _write_records(folder / RECORD, records)
        state = "was here; a whole table" if was_here else "fetched; arrived whole, a whole table"
        yield FetchedFile(path, record, f"{state}; SHA-256 recorded now, there is no published one to compare with")


def _count_rows(path: Path, remove: bool) -> int:
    """Return the rows of a table of structures. Raises InputError for anything else, which `remove` removes."""
    try:
        return sum(1 for _ in iterate_structure_table(path))
    except InputError as error:
        if not remove:
            raise
        path.unlink()
        problem = f"what was sent is not a table of structures ({error.problem})"
        raise InputError(problem, "it was removed; check the address in a browser", path) from None


def _read_records(path: Path) -> dict[str, FileRecord]:
    if not path.is_file():
        return {}
    try:
        return {name: FileRecord(**record) for name, record in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, TypeError, AttributeError):
        raise InputError(
            "is not a record of fetched files", "remove it, to have the files recorded anew", path
        ) from None


def _write_records(path: Path, records: Mapping[str, FileRecord]) -> None:
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps({name: asdict(record) for name, record in records.items()}, indent=2) + "\n", "utf-8")
    draft.replace(path)
