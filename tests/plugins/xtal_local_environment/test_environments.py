import sys

import ase
import numpy as np
import pytest
from dscribe.descriptors import ACSF, SOAP
from dscribe.kernels import AverageKernel, REMatchKernel
from pymatgen.core import Lattice, Structure

from random_crystals import crystal
from xtal_core.errors import PluginError, StructureError
from xtal_local_environment.acsf import ANGULAR, ACSFMetric
from xtal_local_environment.environments import environments
from xtal_local_environment.plugin import ACSFOptions, SOAPOptions
from xtal_local_environment.soap import SOAPMetric

ELEMENTS = (8, 11, 17, 19)
R_CUT = 4.0


def metrics(**options):
    return {
        "soap": SOAPMetric(SOAPOptions(r_cut=R_CUT, n_max=4, l_max=3, sigma=0.5, **options)),
        "acsf": ACSFMetric(ACSFOptions(r_cut=R_CUT, radial=4, **options)),
    }


def descriptor(name, periodic=True, elements=ELEMENTS):
    """Return dscribe's descriptor, told of all elements, with the parameters of the metrics above."""
    if name == "soap":
        return SOAP(species=list(elements), r_cut=R_CUT, n_max=4, l_max=3, sigma=0.5, periodic=periodic)
    radial = [(0.5, 0.5), (0.5, 1.5), (0.5, 2.5), (0.5, 3.5)]
    return ACSF(species=list(elements), r_cut=R_CUT, g2_params=radial, g4_params=ANGULAR, periodic=periodic)


def atoms_of(structure):
    wrapped = structure.frac_coords % 1
    return ase.Atoms(
        structure.atomic_numbers, wrapped @ structure.lattice.matrix, cell=structure.lattice.matrix, pbc=True
    )


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def blocks_of(name, structure):
    metric = metrics()[name]
    return environments(structure, "structure 1", name, metric._describe)


@pytest.mark.parametrize("name", ["soap", "acsf"])
@pytest.mark.parametrize("kernel", ["average", "rematch"])
def test_distances_are_those_of_descriptors_told_of_all_elements(name, kernel):
    """Two elements each, one in common: dscribe's own kernels on vectors of the union of the elements."""
    structures = [
        crystal(seed, elements, 4) for seed, elements in ((1, ("Na", "Cl")), (2, ("Cl", "O")), (3, ("K", "Cl")))
    ]
    assert all(len(structure.composition) == 2 for structure in structures)
    rows = [unit(descriptor(name).create(atoms_of(structure))) for structure in structures]
    reference = AverageKernel(metric="linear") if kernel == "average" else REMatchKernel(alpha=0.5, threshold=1e-20)
    expected = np.sqrt(np.maximum(0, 2 - 2 * reference.create(rows)))
    metric = metrics(kernel=kernel)[name]
    features = metric.featurise(structures)
    np.testing.assert_allclose(metric.compare(features, features), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["soap", "acsf"])
@pytest.mark.parametrize(
    "structure",
    [
        crystal(3, ("Na", "Cl"), 4),
        crystal(4, ("Na", "Cl", "O"), 4).make_supercell([[1, 3, -2], [0, 1, 4], [0, 0, 1]], in_place=False),
        Structure(Lattice.cubic(2.0), ["Na"], [[0.1, 0.2, 0.3]]),
        Structure(Lattice.orthorhombic(3.0, 3.0, 40.0), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.05]]),
    ],
    ids=["triclinic", "sheared", "tiny", "slab"],
)
def test_environments_of_a_crystal_are_those_of_a_piece_of_it(name, structure):
    blocks = blocks_of(name, structure)
    elements = tuple(sorted(set(structure.atomic_numbers)))
    for site, number in zip(structure, range(len(structure)), strict=True):
        around = [neighbour for neighbour in structure.get_neighbors(site, 3 * R_CUT) if neighbour.nn_distance > 1e-6]
        piece = ase.Atoms(
            [site.specie.Z, *(neighbour.specie.Z for neighbour in around)],
            [site.coords, *(neighbour.coords for neighbour in around)],
        )
        (row,) = unit(descriptor(name, periodic=False, elements=elements).create(piece, centers=[0]))
        joined = sorted(np.concatenate([block[number] for block in blocks.values()]))
        np.testing.assert_allclose(joined, np.sort(row), rtol=0, atol=1e-9)


def test_symmetry_functions_are_those_of_their_formulas():
    """Two neighbours of an atom in a large box, by hand."""
    first, second = np.array([1.2, 0, 0]), np.array([0.3, 1.9, 0.4])
    box = Structure(Lattice.cubic(30), ["Na", "Cl", "O"], [[0, 0, 0], first / 30, second / 30])
    blocks = blocks_of("acsf", box)

    def cutoff(distance):
        return (np.cos(np.pi * distance / R_CUT) + 1) / 2

    r, s, t = np.linalg.norm(first), np.linalg.norm(second), np.linalg.norm(first - second)
    cosine = first @ second / (r * s)
    expected = {
        (17,): [cutoff(r), *(cutoff(r) * np.exp(-0.5 * (r - centre) ** 2) for centre in (0.5, 1.5, 2.5, 3.5))],
        (8,): [cutoff(s), *(cutoff(s) * np.exp(-0.5 * (s - centre) ** 2) for centre in (0.5, 1.5, 2.5, 3.5))],
        (8, 17): [
            2 ** (1 - zeta)
            * (1 + sign * cosine) ** zeta
            * np.exp(-eta * (r**2 + s**2 + t**2))
            * np.prod([cutoff(d) for d in (r, s, t)])
            for eta, zeta, sign in ANGULAR
        ],
    }
    length = np.linalg.norm(np.concatenate(list(expected.values())))
    for elements, block in blocks.items():
        wanted = np.array(expected.get(elements, 0.0)) / length
        np.testing.assert_allclose(block[0], np.broadcast_to(wanted, block[0].shape), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["soap", "acsf"])
def test_structures_without_a_common_element_are_at_right_angles(name):
    metric = metrics()[name]
    first, second = metric.featurise([crystal(1, ("Na", "Cl")), crystal(2, ("K", "O"))])
    assert metric.compare([first], [second])[0, 0] == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("name", ["soap", "acsf"])
def test_an_exchange_of_elements_is_seen(name):
    metric = metrics()[name]
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    perovskite = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.9), ["K", "Na", "O"], sites)
    exchanged = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.9), ["Na", "K", "O"], sites)
    assert metric.compare(metric.featurise([perovskite]), metric.featurise([exchanged]))[0, 0] > 0.1


@pytest.mark.parametrize("name", ["soap", "acsf"])
@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (Structure(Lattice.cubic(4), [], []), "structure 2 has no sites"),
        (Structure(Lattice.cubic(4), ["Cl", {"Na": 0.9}], [[0, 0, 0], [0.5, 0.5, 0.5]]), r"site 2 .* holds Na:0.9"),
        (Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]]), "site 1 .* one atom of one element"),
        (Structure(Lattice.cubic(4), ["X"], [[0, 0, 0]]), "site 1 .* one atom of one element"),
        (Structure(Lattice([[1, 0, 0], [0, 1, 0], [1, 1, 0]]), ["H"], [[0, 0, 0]]), "is flat or not finite"),
    ],
    ids=["empty", "vacancy", "shared", "dummy", "flat"],
)
def test_a_structure_without_environments_is_refused_by_name(name, structure, reason):
    with pytest.raises(StructureError, match=reason):
        metrics()[name].featurise([crystal(1), structure])


def test_symmetry_functions_of_lone_atoms_are_refused():
    lone = Structure(Lattice.cubic(30), ["Kr"], [[0, 0, 0]])
    with pytest.raises(StructureError, match=r"no atom of Kr1 .* has a neighbour within acsf.r_cut; raise acsf.r_cut"):
        metrics()["acsf"].featurise([lone])
    (feature,) = metrics()["soap"].featurise([lone])  # which has its own density
    assert metrics()["soap"].compare([feature], [feature])[0, 0] == 0


def test_a_lone_atom_among_others_counts_as_one_that_is_like_none():
    box = Structure(Lattice.cubic(30), ["Kr", "Kr", "Kr"], [[0, 0, 0], [0.1, 0, 0], [0.5, 0.5, 0.5]])
    pair = Structure(Lattice.cubic(30), ["Kr", "Kr"], [[0, 0, 0], [0.1, 0, 0]])
    for kernel in ("average", "rematch"):
        metric = metrics(kernel=kernel)["acsf"]
        features = metric.featurise([box, pair])
        matrix = metric.compare(features, features)
        np.testing.assert_allclose(np.diag(matrix), 0, atol=1e-6)
        assert np.isfinite(matrix).all()


@pytest.mark.parametrize("name", ["soap", "acsf"])
def test_without_dscribe_the_error_says_how_to_install_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "dscribe", None)
    metric, options = {"soap": (SOAPMetric, SOAPOptions), "acsf": (ACSFMetric, ACSFOptions)}[name]
    with pytest.raises(
        PluginError, match=rf'plugin {name}: needs dscribe .*pip install "xtal-solve\[local-environment\]"'
    ):
        metric(options())
