"""Densities of files to learn instead of those of independent atoms: CHGCAR files that are named after crystals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray
from xtal_core.report.output_file import whole_file
from xtal_crystalnet.density_files import read_chgcar
from xtal_crystalnet.density_map import SHAPE
from xtal_crystalnet.standard_cell import StandardCell, standard_cell

#: Where what was read is kept, in the folder of the files.
KEPT = "maps"

#: Relative difference of the volumes of an atom from which a file is of another crystal.
OTHER_VOLUME = 0.1


@dataclass(frozen=True, eq=False)
class FileDensity:
    """The density in a file, in the standard cell of its crystal.

    Attributes
    ----------
    cell
        Of the atoms in the file.
    coefficients : (50, 50, 50) e⁻/Å³
        Of the periodic cubic splines through the density in the cell of the file, resampled by Fourier interpolation.
    """

    cell: StandardCell
    coefficients: FloatArray

    def at(self, points: FloatArray) -> FloatArray:
        """Return the (m,) e⁻/Å³ at (m, 3) fractional coordinates in the standard cell, at least 0."""
        from scipy.ndimage import map_coordinates

        places = self.cell.given(points) % 1 * self.coefficients.shape
        found = map_coordinates(self.coefficients, places.T, order=3, mode="grid-wrap", prefilter=False)
        # Between sharp maxima interpolation falls below zero.
        return np.maximum(found, 0.0)


class DensityFolder:
    """A folder of CHGCAR files, CHGCAR_NAME or CHGCAR_NAME.gz for a crystal called NAME.

    A file is read once, which takes a second; its density on 50³ points is kept in the subfolder `maps` until the file
    changes. Raises InputError when there is no such folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError("there is no such folder of densities", "give one with CHGCAR files", self.folder)

    def path(self, name: str) -> Path | None:
        """Return the file of the crystal called so, None when there is none."""
        paths = (self.folder / f"CHGCAR_{name}{suffix}" for suffix in ("", ".gz"))
        return next((path for path in paths if path.is_file()), None)

    def density(self, name: str, numbers: Iterable[int], volume: float) -> FileDensity:
        """Return the density of the crystal called so, a cell of which has atoms of `numbers` and a `volume` in Å³.

        Raises InputError when there is none, and for a file that is not of that crystal or cannot be read.
        """
        path = self.path(name)
        if path is None:
            raise InputError(f"there is no density of {name}", f"add a file CHGCAR_{name}", self.folder)
        found = self._kept(name, path) or self._read(name, path)
        if not _same_crystal(found.cell, np.fromiter(numbers, int), volume):
            raise InputError(f"is not of the crystal {name} of the training set", "remove it, or rename it", path)
        return found

    def _kept(self, name: str, path: Path) -> FileDensity | None:
        """Return what was kept of a file; None when nothing was, or the file is another now."""
        try:
            with np.load(self._kept_path(name), allow_pickle=False) as kept:
                if kept["source"].tolist() != _identity(path):
                    return None
                cell = StandardCell(
                    kept["lattice"],
                    kept["fractional"],
                    kept["numbers"],
                    int(kept["space_group"]),
                    kept["axes"],
                    kept["shift"],
                )
                return FileDensity(cell, kept["coefficients"].astype(float))
        except (OSError, KeyError, ValueError, BadZipFile):
            return None

    def _read(self, name: str, path: Path) -> FileDensity:
        """Return what is in a file, and keep it. Raises InputError when it cannot be read, or kept."""
        from scipy.ndimage import spline_filter

        density, structure = read_chgcar(path)
        cell = standard_cell(structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers))
        coefficients = np.asarray(spline_filter(density.resampled(SHAPE).values, order=3, mode="grid-wrap"))
        try:
            kept = self._kept_path(name)
            kept.parent.mkdir(exist_ok=True)
            with whole_file(kept) as draft, draft.open("wb") as file:
                np.savez(
                    file,
                    coefficients=coefficients.astype(np.float32),
                    lattice=cell.lattice,
                    fractional=cell.fractional,
                    numbers=cell.numbers,
                    space_group=cell.space_group,
                    axes=cell.axes,
                    shift=cell.shift,
                    source=_identity(path),
                )
        except OSError as error:
            problem = f"what is read cannot be kept in the folder of densities ({error.strerror})"
            raise InputError(problem, "make it writable", self.folder) from None
        return FileDensity(cell, coefficients)

    def _kept_path(self, name: str) -> Path:
        return self.folder / KEPT / f"{name}.npz"


def _identity(path: Path) -> list[int]:
    """Return what changes when a file does."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _same_crystal(cell: StandardCell, numbers: np.ndarray, volume: float) -> bool:
    """Return whether a cell has the composition and about the density of one with atoms of `numbers` in a `volume`."""
    n_elements = int(max(cell.numbers.max(), numbers.max())) + 1
    counts, others = (np.bincount(each, minlength=n_elements) for each in (cell.numbers, numbers))
    own_volume = abs(float(np.linalg.det(cell.lattice)))
    ratio = own_volume / len(cell.numbers) / (volume / len(numbers))
    return bool((counts * len(numbers) == others * len(cell.numbers)).all()) and abs(ratio - 1) < OTHER_VOLUME
