"""Structures that the tests of the study are made with."""

from __future__ import annotations

import csv

import pytest
from pymatgen.core import Lattice, Structure

from xtal_study.sources import Known
from xtal_study.structure_symmetry import structure_type


def rutile(metal="Ti", a=4.594, c=2.959, x=0.305):
    return Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(a, c), [metal, "O"], [[0, 0, 0], [x, x, 0]])


def rock_salt(cation="Na", anion="Cl", a=5.64):
    cubic = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return cubic.get_primitive_structure()


def caesium_chloride(cation="Cs", anion="Cl", a=4.12):
    return Structure(Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def quartz():
    lattice = Lattice.hexagonal(4.913, 5.405)
    return Structure.from_spacegroup("P3_221", lattice, ["Si", "O"], [[0.4697, 0, 2 / 3], [0.4135, 0.2669, 0.7858]])


@pytest.fixture(scope="session")
def titania():
    return rutile()


@pytest.fixture(scope="session")
def salt():
    return rock_salt()


@pytest.fixture(scope="session")
def chiral():
    return quartz()


@pytest.fixture(scope="session")
def dozen():
    """Twelve structures of three types, two of them of one formula."""
    structures = {
        **{f"rutile {metal}": rutile(metal, a, c, x) for metal, a, c, x in RUTILES},
        "rutile Ti, other": rutile(x=0.31, a=4.6),
        **{f"salt {c}{a}": rock_salt(c, a, edge) for c, a, edge in SALTS},
        **{f"chloride {c}": caesium_chloride(c, a, edge) for c, a, edge in CHLORIDES},
    }
    return [Known(name, "", structure, structure_type(structure)) for name, structure in structures.items()]


@pytest.fixture(scope="session")
def table(tmp_path_factory, dozen):
    """The dozen as a table in the form of MP-20."""
    path = tmp_path_factory.mktemp("table") / "structures.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["material_id", "cif"])
        writer.writerows([known.name, known.structure.to(fmt="cif")] for known in dozen)
    return path


RUTILES = [
    ("Ti", 4.594, 2.959, 0.305),
    ("Sn", 4.737, 3.186, 0.306),
    ("Ru", 4.492, 3.106, 0.306),
    ("Pb", 4.96, 3.39, 0.3),
]
SALTS = [("Na", "Cl", 5.64), ("K", "Br", 6.6), ("Mg", "O", 4.21), ("Ni", "O", 4.18), ("Li", "F", 4.03)]
CHLORIDES = [("Cs", "Cl", 4.12), ("Tl", "Br", 3.97)]
