"""Atoms from maps, compared with the crystals that the maps are of."""

import csv
import gzip
import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Element, Lattice, Structure
from scipy.ndimage import gaussian_filter

from xtal_core.cells import CellBatch
from xtal_core.errors import InputError
from xtal_crystalnet.decoding import decode
from xtal_crystalnet.density_map import electron_density


def crystal(group, lattice, species, sites):
    return Structure.from_spacegroup(group, lattice, species, sites).get_primitive_structure()


CRYSTALS = {
    "rock salt": crystal("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "lithium hydride": crystal("Fm-3m", Lattice.cubic(4.08), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "urania": crystal("Fm-3m", Lattice.cubic(5.47), ["U", "O"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
    "perovskite": crystal(
        "Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    ),
    "spinel": crystal(
        "Fd-3m:2",
        Lattice.cubic(8.08),
        ["Mg", "Al", "O"],
        [[0.125, 0.125, 0.125], [0.5, 0.5, 0.5], [0.2624, 0.2624, 0.2624]],
    ),
    "quartz": crystal(
        "P3_221", Lattice.hexagonal(4.913, 5.405), ["Si", "O"], [[0.4697, 0, 2 / 3], [0.4135, 0.2669, 0.7858]]
    ),
    "delafossite": crystal(
        "R-3m:H", Lattice.hexagonal(3.035, 17.166), ["Cu", "Fe", "O"], [[0, 0, 0], [0, 0, 0.5], [0, 0, 0.1066]]
    ),
}

#: Those whose atoms are heavy enough not to drown in noise of 2 % of the highest value.
HEAVY = [name for name in CRYSTALS if name != "lithium hydride"]


def map_of(structure):
    return electron_density(CellBatch.from_structures([structure])).values


@cache
def named_map(name):
    return map_of(CRYSTALS[name])


def decoded(structure, values, alternatives=4):
    """Return the cells, with the atoms in an order that says nothing."""
    numbers = np.random.default_rng(7).permutation(structure.atomic_numbers)
    return decode(values, structure.lattice.matrix, numbers, alternatives)


def structure_of(cell, lattice):
    return Structure(lattice, cell.numbers.tolist(), cell.fractional)


def errors(cell, structure):
    """Return the Å from every atom of `structure` to the nearest of its element in `cell`."""
    distances = structure.lattice.get_all_distances(structure.frac_coords, cell.fractional)
    other = np.not_equal.outer(structure.atomic_numbers, cell.numbers)
    return np.where(other, np.inf, distances).min(axis=1)


@pytest.mark.parametrize("name", CRYSTALS)
def test_the_atoms_of_a_density_are_found_where_they_are(name):
    structure = CRYSTALS[name]
    first = decoded(structure, named_map(name))[0]
    assert sorted(first.numbers.tolist()) == sorted(structure.atomic_numbers)
    assert errors(first, structure).max() < 0.01
    assert ((first.fractional >= 0) & (first.fractional < 1)).all()
    assert first.residual < 0.01


@pytest.mark.parametrize("name", HEAVY)
def test_noise_of_two_per_cent_does_no_harm(name):
    structure = CRYSTALS[name]
    values = named_map(name)
    noise = np.random.default_rng(1).normal(0, 0.02 * values.max(), values.shape)
    first = decoded(structure, values + noise)[0]
    assert errors(first, structure).max() < 0.1
    # What is left is the noise.
    assert first.residual == pytest.approx(np.linalg.norm(noise) / np.linalg.norm(values + noise), rel=0.02)


@pytest.mark.parametrize("name", CRYSTALS)
def test_blurred_maps_are_understood(name):
    structure = CRYSTALS[name]
    first = decoded(structure, gaussian_filter(named_map(name), 2, mode="wrap"))[0]
    assert errors(first, structure).max() < 0.02
    assert first.residual < 0.02


@pytest.mark.parametrize("name", HEAVY)
def test_peaks_may_be_too_low_the_higher_ones_more_so(name):
    structure = CRYSTALS[name]
    values = gaussian_filter(named_map(name), 1, mode="wrap")
    assert errors(decoded(structure, values / (1 + 2 * values / values.max()))[0], structure).max() < 0.05


@pytest.mark.parametrize("name", ["spinel", "delafossite"])
def test_coarse_waves_are_enough(name):
    """No waves with more than eight periods along the cell: what is left has ripples around every heavy atom."""
    structure = CRYSTALS[name]
    waves = np.fft.fftn(named_map(name))
    periods = np.fft.fftfreq(50, 1 / 50)
    length = np.sqrt(periods[:, None, None] ** 2 + periods[:, None] ** 2 + periods**2)
    values = np.fft.ifftn(np.where(length <= 8, waves, 0)).real
    assert errors(decoded(structure, np.maximum(values, 0))[0], structure).max() < 0.1


def test_hydrogen_is_found_beside_uranium():
    sites = [[0, 0, 0], [0.25, 0, 0.5], [0, 0.1556, 0.3125]]
    hydride = crystal("Pm-3n", Lattice.cubic(6.645), ["U", "U", "H"], sites)
    assert len(hydride) == 32
    first = decoded(hydride, map_of(hydride))[0]
    assert errors(first, hydride).max() < 0.05


def test_spurious_peaks_are_left_out():
    structure = CRYSTALS["perovskite"]
    values = named_map("perovskite")
    with_ghosts = structure.copy()
    for place in ([0.25, 0.25, 0.25], [0.75, 0.25, 0.5], [0.5, 0, 0.25]):
        with_ghosts.append("Li", place)
    assert len(with_ghosts) == 8
    first = decoded(structure, 0.9 * values + 0.5 * (map_of(with_ghosts) - values))[0]
    assert errors(first, structure).max() < 0.05


def test_the_unit_of_the_map_does_not_matter():
    structure = CRYSTALS["quartz"]
    values = named_map("quartz")
    first, other = (decoded(structure, scale * values)[0] for scale in (1.0, 1e-4))
    np.testing.assert_allclose(other.fractional, first.fractional, atol=1e-5)
    assert other.numbers.tolist() == first.numbers.tolist()
    assert other.residual == pytest.approx(first.residual, rel=1e-3)


def test_a_shifted_map_has_shifted_atoms():
    structure = CRYSTALS["quartz"]
    shift = np.array([7, 31, 20])
    moved = structure.copy()
    moved.translate_sites(list(range(len(moved))), shift / 50)
    first = decoded(structure, np.roll(named_map("quartz"), shift.tolist(), axis=(0, 1, 2)))[0]
    assert errors(first, moved).max() < 0.01


def test_grids_may_differ_along_the_axes():
    structure = CRYSTALS["delafossite"]
    values = electron_density(CellBatch.from_structures([structure]), 0, (36, 40, 45)).values
    assert errors(decoded(structure, values)[0], structure).max() < 0.02


def test_elements_hard_to_tell_apart_come_as_alternatives():
    """Fe and Co of a perovskite, 26.75 and 26.25 electrons: the true crystal is the second guess."""
    true = crystal("Pm-3m", Lattice.cubic(3.9), ["Fe", "Co", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]])
    swapped = true.copy()
    swapped.replace_species({"Fe": "Co", "Co": "Fe"})
    matcher = StructureMatcher()
    assert not matcher.fit(true, swapped)
    cells = decoded(true, 0.25 * map_of(true) + 0.75 * map_of(swapped))
    matches = [matcher.fit(structure_of(cell, true.lattice), true) for cell in cells]
    assert matches[:2] == [False, True]
    assert len(decoded(true, map_of(true), alternatives=1)) == 1


@pytest.mark.parametrize("values", [np.zeros((20, 20, 20)), -np.ones((20, 20, 20))], ids=["empty", "negative"])
def test_a_map_without_peaks_has_no_atoms(values):
    assert decode(values, np.eye(3) * 4, [11, 17]) == []


def test_a_map_with_too_few_atoms_is_not_decoded():
    alone = Structure(Lattice.cubic(4), ["Cl"], [[0.3, 0.3, 0.3]])
    assert decode(map_of(alone), alone.lattice.matrix, [17, 11]) == []


def test_gaps_in_a_map_are_refused():
    values = np.ones((10, 10, 10))
    values[3, 3, 3] = np.nan
    with pytest.raises(InputError, match="not finite numbers"):
        decode(values, np.eye(3) * 4, [11])


def test_elements_without_a_density_are_refused():
    with pytest.raises(InputError, match="no form factor for Es"):
        decode(np.ones((10, 10, 10)), np.eye(3) * 4, [Element("Es").Z])


def test_most_cubic_and_trigonal_crystals_are_recognised():
    folder = Path(os.environ.get("XTAL_DATA", Path(__file__).parents[4] / "shared" / "data"))
    table = folder / "mp20" / "val.csv.gz"
    if not table.is_file():
        pytest.skip(f"needs mp20/val.csv.gz in {folder}; set XTAL_DATA to the folder with the data sets")
    csv.field_size_limit(10_000_000)
    with gzip.open(table, "rt", encoding="utf-8", newline="") as file:
        groups = range(143, 168), range(195, 231)
        rows = [row for row in csv.DictReader(file) if any(int(row["spacegroup.number"]) in group for group in groups)]
    chosen = np.random.default_rng(4).choice(len(rows), 8, replace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structures = [Structure.from_str(rows[i]["cif"], fmt="cif").get_primitive_structure() for i in chosen]
    matches = [
        StructureMatcher().fit(structure_of(decoded(structure, map_of(structure))[0], structure.lattice), structure)
        for structure in structures
    ]
    assert all(matches)
