import csv
import gzip
import os
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import IStructure, Lattice, Structure

from xtal_core.errors import StructureError
from xtal_structure_matcher.metric import StructureMatcherMetric
from xtal_structure_matcher.plugin import StructureMatcherOptions

LOOSE = {"ltol": 0.3, "stol": 0.5, "angle_tol": 10.0}


def metric_with(**options):
    return StructureMatcherMetric(StructureMatcherOptions(**options))


def values(first, second, **options):
    metric = metric_with(**options)
    return metric.compare(metric.featurise(first), metric.featurise(second))


def pymatgen_values(first, second, **options):
    matcher = StructureMatcher(**options)
    matches = [[matcher.get_rms_dist(one, other) for other in second] for one in first]
    return np.array([[np.nan if match is None else match[0] for match in row] for row in matches])


@pytest.fixture(scope="module")
def crystals():
    return [
        Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        Structure.from_spacegroup(221, Lattice.cubic(3.49), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        Structure.from_spacegroup(136, Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]),
        Structure.from_spacegroup(141, Lattice.tetragonal(3.78, 9.51), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.208]]),
        Structure.from_spacegroup(
            154, Lattice.hexagonal(4.91, 5.40), ["Si", "O"], [[0.47, 0, 2 / 3], [0.41, 0.27, 0.786]]
        ),
    ]


def variants(crystal, seed):
    """Return the crystal displaced, strained and in other cells; some match it, some do not."""
    random = np.random.default_rng(seed)
    matrix, species, coordinates = crystal.lattice.matrix, crystal.species, crystal.frac_coords
    displaced = [
        Structure(matrix, species, coordinates + random.normal(0, size, coordinates.shape) / crystal.lattice.abc)
        for size in (0.01, 0.1, 0.3, 0.6)
    ]
    strained = [Structure(matrix @ np.diag([1 + e, 1, 1 - e]), species, coordinates) for e in (0.02, 0.15, 0.3)]
    cells = [
        crystal.make_supercell([2, 1, 1], in_place=False),
        crystal.make_supercell([[1, 2, 0], [0, 1, -1], [0, 0, 1]], in_place=False),
    ]
    return [*displaced, *strained, *cells]


@pytest.mark.parametrize("options", [{}, LOOSE, {"scale": False}, {"primitive_cell": False}])
def test_verdict_and_value_are_pymatgens_to_the_last_digit(crystals, options):
    verdicts = set()
    for seed, crystal in enumerate(crystals):
        others = variants(crystal, seed)
        for first, second in (([crystal], others), (others, [crystal])):
            expected = pymatgen_values(first, second, **options)
            np.testing.assert_array_equal(values(first, second, **options), expected)
            verdicts |= set(np.isnan(expected).ravel().tolist())
    assert verdicts == {True, False}


def test_every_pair_of_a_batch_is_pymatgens(crystals):
    np.testing.assert_array_equal(values(crystals, crystals), pymatgen_values(crystals, crystals))


def test_verdicts_on_known_polymorphs_are_pymatgens():
    data = Path(os.environ.get("XTAL_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
    table = data / "mp20" / "val.csv.gz"
    if not table.exists():
        pytest.skip(f"needs the MP-20 table {table}; set XTAL_DATA to the folder that holds mp20/")
    polymorphs = defaultdict(list)
    with gzip.open(table, "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            polymorphs[row["pretty_formula"]].append(row["cif"])
    pairs = [pair for cifs in polymorphs.values() for pair in combinations(cifs, 2)][:60]
    first, second = ([Structure.from_str(pair[side], fmt="cif") for pair in pairs] for side in (0, 1))
    expected = np.concatenate([pymatgen_values([one], [two], **LOOSE) for one, two in zip(first, second, strict=True)])
    found = np.concatenate([values([one], [two], **LOOSE) for one, two in zip(first, second, strict=True)])
    assert 0 < np.isnan(expected).sum() < len(pairs)
    np.testing.assert_array_equal(found, expected)


def test_cells_are_reduced_once_a_structure(crystals, monkeypatch):
    metric = metric_with()
    features = metric.featurise(crystals)
    monkeypatch.delattr(IStructure, "get_primitive_structure")
    monkeypatch.delattr(IStructure, "get_reduced_structure")
    assert metric.compare(features, features).shape == (5, 5)


def test_structures_of_different_composition_are_never_handed_to_the_matcher(crystals, monkeypatch):
    metric = metric_with()
    salt, _, rutile, _, quartz = metric.featurise(crystals)
    monkeypatch.delattr(StructureMatcher, "get_rms_dist")
    assert np.isnan(metric.compare([salt], [rutile, quartz])).all()


def test_every_match_is_the_same_structure():
    assert metric_with().same_below == np.inf
    assert not np.nan <= metric_with().same_below


def test_oxidation_states_are_ignored_unless_asked_for(crystals):
    rutile = crystals[2]
    ions = rutile.copy()
    ions.add_oxidation_state_by_element({"Ti": 4, "O": -2})
    assert values([rutile], [ions])[0, 0] == pytest.approx(0, abs=1e-7)
    assert np.isnan(values([rutile], [ions], charges=True)[0, 0])
    assert values([ions], [ions], charges=True)[0, 0] == pytest.approx(0, abs=1e-7)


def test_partial_occupancies_are_compared_as_pymatgen_compares_them():
    def alloy(gold):
        return Structure(Lattice.cubic(4.0), [{"Au": gold, "Cu": 1 - gold}], [[0, 0, 0]])

    assert values([alloy(0.3)], [alloy(0.3)])[0, 0] == pytest.approx(0, abs=1e-7)
    assert np.isnan(values([alloy(0.3)], [alloy(0.4)])[0, 0])


def test_a_structure_without_sites_is_refused():
    with pytest.raises(StructureError, match="structure 2 has no sites"):
        metric_with().featurise([Structure(Lattice.cubic(3), ["H"], [[0, 0, 0]]), Structure(Lattice.cubic(3), [], [])])


@pytest.mark.parametrize(
    ("matrix", "height"),
    [([[3, 0, 0], [0, 3, 0], [3, 3, 0]], 0.5), ([[3, 0, 0], [0, 3, 0], [0, 0, 3]], np.nan)],
    ids=["flat", "not a number"],
)
def test_an_impossible_cell_is_refused_by_name(matrix, height):
    impossible = Structure(Lattice(matrix), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, height]])
    with pytest.raises(StructureError, match=r"Cs1 Cl1 \(structure 1\) is flat or not finite"):
        metric_with().featurise([impossible])
