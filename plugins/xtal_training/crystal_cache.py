"""Crystals that were made before, in a SQLite file of the user's cache folder, found by the text they were made from.

What was made of a text depends on nothing but the text and the recipe (versions of what reads, standardises and
simulates): no source is ever worked on twice, whatever interrupted the first time, and whatever else changed.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from xtal_core.errors import InputError
from xtal_training.crystals import Crystal

#: Texts asked for in one query: SQLite allows 999 variables everywhere.
_AT_ONCE = 900

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outcomes (
    recipe BLOB NOT NULL,
    digest BLOB NOT NULL,
    reason TEXT,
    crystals BLOB,
    PRIMARY KEY (recipe, digest)
) WITHOUT ROWID;
"""

#: What became of a text: crystals, or the reason why there is none.
Outcome = list[Crystal] | str


def cache_path() -> Path:
    """Return the cache file: in the folder XTAL_CACHE, else in the user's cache folder."""
    chosen = os.environ.get("XTAL_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "crystals.sqlite"
    from platformdirs import user_cache_path

    return user_cache_path("xtal", appauthor=False) / "crystals.sqlite"


class CrystalCache:
    """The cache file, open for one recipe.

    Parameters
    ----------
    path
        The file, which is made when there is none.
    recipe
        Versions on which the outcome depends: {what: version}.
    """

    def __init__(self, path: Path, recipe: Mapping[str, str]) -> None:
        self._recipe = hashlib.blake2b(repr(sorted(recipe.items())).encode(), digest_size=16).digest()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=60)
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.DatabaseError) as error:
            remedy = "remove the file, or name another folder by XTAL_CACHE"
            raise InputError(f"the cache cannot be opened ({error})", remedy, path) from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def known(self, digests: Sequence[bytes]) -> set[bytes]:
        """Return those of `digests` whose outcome is here."""
        return {digest for digest, *_ in self._rows("digest", digests)}

    def outcomes(self, digests: Sequence[bytes]) -> dict[bytes, Outcome]:
        """Return what became of the texts with these `digests`, as far as it is here."""
        return {
            digest: reason if reason is not None else _unpacked(crystals)
            for digest, reason, crystals in self._rows("digest, reason, crystals", digests)
        }

    def add(self, outcomes: Iterable[tuple[bytes, Outcome]]) -> None:
        """Store outcomes, all or none."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?)",
                [
                    (self._recipe, digest, *((outcome, None) if isinstance(outcome, str) else (None, _packed(outcome))))
                    for digest, outcome in outcomes
                ],
            )

    def _rows(self, columns: str, digests: Sequence[bytes]) -> list[tuple[Any, ...]]:
        rows = []
        for start in range(0, len(digests), _AT_ONCE):
            part = digests[start : start + _AT_ONCE]
            places = ", ".join("?" * len(part))
            query = f"SELECT {columns} FROM outcomes WHERE recipe = ? AND digest IN ({places})"
            rows += self._connection.execute(query, (self._recipe, *part)).fetchall()
        return rows


def _packed(crystals: list[Crystal]) -> bytes:
    """Return `crystals` as bytes that are nothing but arrays."""
    arrays = {
        f"{i}.{name}": np.ascontiguousarray(value)
        for i, crystal in enumerate(crystals)
        for name, value in (vars(crystal) | {"space_group": np.array([crystal.space_group], np.int16)}).items()
    }
    return save(arrays)


def _unpacked(content: bytes) -> list[Crystal]:
    arrays = load(content)
    n_crystals = 1 + max(int(key.partition(".")[0]) for key in arrays)
    crystals = []
    for i in range(n_crystals):
        part: dict[str, Any] = {each.name: arrays[f"{i}.{each.name}"] for each in fields(Crystal)}
        crystals.append(Crystal(**(part | {"space_group": part["space_group"].item()})))
    return crystals
