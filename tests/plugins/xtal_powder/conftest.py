"""Crystals and helpers of the simulator's tests."""

import csv
import gzip
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement
from xtal_core.pattern import Radiation
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

#: What pymatgen calls CuKa.
WAVELENGTH = 1.54184


@pytest.fixture(scope="session")
def simulator():
    return PowderSimulator(PowderOptions())


@pytest.fixture(scope="session")
def crystals():
    """Crystals of all kinds: cubic, hexagonal, triclinic, strongly skewed, with vacancies and mixed sites, charged."""
    wurtzite = Structure.from_spacegroup(
        "P6_3mc", Lattice.hexagonal(3.25, 5.207), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.3819]]
    )
    triclinic = Structure(
        Lattice.from_parameters(4.2, 5.3, 6.1, 97, 103, 81),
        ["Ca", "C", "O", "O"],
        [[0.11, 0.23, 0.31], [0.62, 0.17, 0.83], [0.37, 0.71, 0.05], [0.83, 0.55, 0.47]],
    )
    solid_solution = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.3), [{"Mg": 0.6, "Fe": 0.3}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    charged = Structure.from_spacegroup("Pm-3m", Lattice.cubic(4.123), ["Cs+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    skewed = triclinic.copy()
    skewed.make_supercell([[1, 2, -1], [0, 1, 3], [0, 0, 1]])
    return [wurtzite, triclinic, solid_solution, charged, skewed]


@pytest.fixture(scope="session")
def batch(crystals):
    return CellBatch.from_structures(crystals)


@pytest.fixture(scope="session")
def axis():
    """Return an axis like that of pymatgen's default pattern: reflections to 2θ = 90°."""
    last = 4 * np.pi / WAVELENGTH * np.sin(np.pi / 4)
    return Measurement(np.linspace(0.3, 6.2, 1500), Radiation.monochromatic(WAVELENGTH), reflections_to=last)


@pytest.fixture(scope="session")
def validation_structures():
    """Return 100 structures of MP-20's validation set, drawn at random."""
    folder = Path(os.environ.get("XTAL_DATA", Path(__file__).parents[4] / "shared" / "data"))
    table = folder / "mp20" / "val.csv.gz"
    if not table.is_file():
        pytest.skip(f"needs mp20/val.csv.gz in {folder}; set XTAL_DATA to the folder with the data sets")
    csv.field_size_limit(10_000_000)
    with gzip.open(table, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = np.random.default_rng(20).choice(len(rows), 100, replace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [Structure.from_str(rows[i]["cif"], fmt="cif") for i in chosen]
