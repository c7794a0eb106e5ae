"""Files with electron densities: CHGCAR of VASP, read and written, and Gaussian cube, written.

CHGCAR holds density × volume of the cell, in electrons, the first axis fastest; cube holds e⁻/bohr³, the last axis
fastest, with lengths in bohr. A CHGCAR of VASP has valence electrons only, without the cores of its pseudopotentials.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray
from xtal_core.report.output_file import whole_file
from xtal_crystalnet.density_map import DensityMap

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.io.vasp import Chgcar

#: Å: CODATA 2022.
BOHR = 0.529177210544

#: Å: lattice vectors of a density and of a structure that differ by more are not those of one crystal.
_LATTICE_TOLERANCE = 1e-3


def read_chgcar(path: str | Path) -> tuple[DensityMap, Structure]:
    """Return the total density in a CHGCAR file, which may be compressed (.gz), and the structure it is of.

    The magnetisation of a spin-polarised calculation is left out. Raises InputError for a file that is not a complete
    CHGCAR.
    """
    from pymatgen.io.vasp import Chgcar

    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such file", "give the path of a CHGCAR file", path)
    try:
        return from_chgcar(Chgcar.from_file(str(path)))
    except Exception as error:  # pymatgen and the decompression raise whatever they stumble upon
        raise InputError(f"cannot be read as a CHGCAR ({error})", "check that the file is complete", path) from None


def from_chgcar(chgcar: Chgcar) -> tuple[DensityMap, Structure]:
    """Return the total density that pymatgen has read, and its structure."""
    from pymatgen.core import Structure

    lattice = np.array(chgcar.structure.lattice.matrix, float)
    values = np.asarray(chgcar.data["total"], float) / abs(np.linalg.det(lattice))
    return DensityMap(values, lattice), Structure.from_sites(chgcar.structure.sites)


def write_chgcar(path: str | Path, density: DensityMap, structure: Structure | None) -> None:
    """Write a CHGCAR file, compressed when `path` ends in .gz, completely or not at all.

    Raises InputError without a structure, which the format demands, without a lattice or with another one than the
    structure's, for partly occupied sites, which the format does not know, and when the file cannot be written.
    """
    from pymatgen.core import Structure
    from pymatgen.io.vasp import Poscar

    if structure is None:
        raise InputError("a CHGCAR cannot be written without the atoms", "give a structure, or write a cube file", path)
    _check_lattice(density, structure, path)
    if not structure.is_ordered:
        remedy = "choose one species for every site, or write a cube file"
        raise InputError("a CHGCAR cannot hold partly occupied sites", remedy, path)
    # Without velocities and constraints, which would be written, too.
    symbols = [site.specie.symbol for site in structure]
    atoms = Structure(structure.lattice, symbols, structure.frac_coords)
    head = Poscar(atoms, comment=structure.formula).get_str(significant_figures=10)
    electrons = (density.values * density.volume).transpose(2, 1, 0)
    shape = " ".join(str(n) for n in density.shape)
    _write(path, f"{head}\n{shape}\n{_rows(electrons.reshape(1, -1), 5, '%18.10E')}")


def write_cube(path: str | Path, density: DensityMap, structure: Structure | None = None) -> None:
    """Write a Gaussian cube file, compressed when `path` ends in .gz, completely or not at all.

    Without a structure there are no atoms in it; of a site that several species share, the most frequent is written.
    Raises InputError without a lattice or with another one than the structure's, and when the file cannot be written.
    """
    _check_lattice(density, structure, path)
    sites = [] if structure is None else list(structure)
    lines = ["electron density" + (f" of {structure.formula}" if structure else ""), "in electrons per cubic bohr"]
    lines.append(_cube_line(len(sites), np.zeros(3)))
    lines += [_cube_line(n, vector / n) for n, vector in zip(density.shape, np.asarray(density.lattice), strict=True)]
    for site in sites:
        number = max(site.species.items(), key=lambda item: item[1])[0].Z
        lines.append(_cube_line(number, site.coords, charge=number))
    # A new line begins with every row along the last axis.
    rows = _rows((density.values * BOHR**3).reshape(-1, density.shape[2]), 6, "%13.5E")
    _write(path, "\n".join(lines) + f"\n{rows}")


def _check_lattice(density: DensityMap, structure: Structure | None, path: str | Path) -> None:
    """Raise InputError unless the lattice is known, and that of `structure` if there is one."""
    if density.lattice is None:
        raise InputError("a density without a lattice cannot be written", "give it that of the crystal", path)
    if structure is not None and not np.allclose(
        density.lattice, structure.lattice.matrix, rtol=0, atol=_LATTICE_TOLERANCE
    ):
        problem = "the lattice of the density is not that of the structure"
        raise InputError(problem, "give the structure in the cell and orientation of the density", path)


def _cube_line(n: int, place: FloatArray, charge: float | None = None) -> str:
    """Return an integer, a charge if any, and three lengths, given in Å, in bohr."""
    numbers = [*([] if charge is None else [charge]), *(np.asarray(place) / BOHR)]
    return f"{n:5d}" + "".join(f"{number:12.6f}" for number in numbers)


def _rows(values: FloatArray, per_line: int, format: str) -> str:
    """Return the numbers of every row of `values`, `per_line` on a line; the last line of a row may be shorter."""
    # An exponent of three digits would fill the space between two numbers.
    values = np.where(np.abs(values) < 1e-99, 0.0, values)
    whole, rest = divmod(values.shape[1], per_line)
    pattern = (format * per_line + "\n") * whole + (format * rest + "\n" if rest else "")
    return "".join(pattern % tuple(row) for row in values.tolist())


def _write(path: str | Path, text: str) -> None:
    path = Path(path)
    content = text.encode()
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)  # the same density should be the same file
    try:
        with whole_file(path) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", "choose another place", path) from None
