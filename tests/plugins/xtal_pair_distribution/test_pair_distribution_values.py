"""G(r) beside direct summation, sine transforms by quadrature, and limits that are known exactly."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from xtal_core.errors import OptionError, StructureError
from xtal_pair_distribution.calculation import pair_distributions
from xtal_pair_distribution.conditions import Conditions
from xtal_pair_distribution.crystal import Crystal

SHORT = Conditions(r_max=8.0)
FULL = Conditions(r_max=8.0, q_damp=0.04, q_broad=0.01, delta2=1.5)

TRICLINIC = Structure(
    Lattice.from_parameters(4, 5, 6.5, 80, 95, 110),
    ["Ti", {"O": 0.7, "F": 0.2}, "Zn"],
    [[0.1, 0.2, 0.3], [0.6, 0.55, 0.9], [0.4, 0.9, 0.6]],
)
TENSOR_PROPERTIES = {
    "U11_cif": [0.010, 0.020, None],
    "U22_cif": [0.004, 0.010, None],
    "U33_cif": [0.020, 0.006, None],
    "U23_cif": [0.001, 0.003, None],
    "U13_cif": [-0.002, 0.0, None],
    "U12_cif": [0.0015, 0.0, None],
    "u_iso": [None, None, 0.009],
}
ELECTRONS = {"Ti": 22, "O": 8, "F": 9, "Zn": 30, "Na": 11, "Cl": 17}
FERMI_LENGTHS = {"Ti": -3.438, "O": 5.803, "F": 5.654, "Zn": 5.68, "Na": 3.63, "Cl": 9.577}


def rock_salt():
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def cartesian_tensors(structure, default):
    """Return (n_sites, 3, 3) covariances of u = Σ Δᵢ aᵢ with ⟨Δᵢ Δⱼ⟩ = a*ᵢ a*ⱼ Uᵢⱼ, summed component by component."""
    lattice = structure.lattice.matrix
    reciprocal = [np.linalg.norm(np.linalg.inv(lattice)[:, i]) for i in range(3)]
    tensors = []
    for site in structure:
        if site.properties.get("U11_cif") is None:
            tensors.append((site.properties.get("u_iso") or default) * np.eye(3))
            continue
        tensor = np.zeros((3, 3))
        for i, j in itertools.product(range(3), repeat=2):
            component = site.properties[f"U{min(i, j) + 1}{max(i, j) + 1}_cif"]
            tensor += component * reciprocal[i] * reciprocal[j] * np.outer(lattice[i], lattice[j])
        tensors.append(tensor)
    return tensors


def direct_sum(structure, conditions, strengths):
    """Return G(r) as it is defined, pair by pair and Gaussian by Gaussian."""
    tensors = cartesian_tensors(structure, conditions.u_iso)
    atoms = [
        (site.frac_coords, occupancy, strengths[species.symbol], tensor)
        for site, tensor in zip(structure, tensors, strict=True)
        for species, occupancy in site.species.items()
    ]
    lattice, r, cutoff = structure.lattice.matrix, conditions.r, conditions.r_max + 3.0
    reach = [math.ceil(cutoff * length) + 1 for length in np.linalg.norm(np.linalg.inv(lattice), axis=0)]
    shifts = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach))))
    n_atoms = sum(occupancy for _, occupancy, _, _ in atoms)
    mean = sum(occupancy * strength for _, occupancy, strength, _ in atoms) / n_atoms
    radial = np.zeros(len(r))
    for (x, c, b, u), (y, d, e, v) in itertools.product(atoms, repeat=2):
        vectors = (y - x + shifts) @ lattice
        distances = np.linalg.norm(vectors, axis=1)
        chosen = (distances > 0.1) & (distances < cutoff)
        vectors, distances = vectors[chosen], distances[chosen]
        factors = 1 - conditions.delta1 / distances - conditions.delta2 / distances**2
        factors += (conditions.q_broad * distances) ** 2
        squares = factors * np.einsum("ni,ij,nj->n", vectors, u + v, vectors) / distances**2
        for distance, square in zip(distances, squares, strict=True):
            near = slice(*np.searchsorted(r, [distance - 9 * math.sqrt(square), distance + 9 * math.sqrt(square)]))
            gaussian = np.exp(-((r[near] - distance) ** 2) / (2 * square)) / math.sqrt(2 * math.pi * square)
            radial[near] += c * d * b * e / (n_atoms * mean**2) * gaussian
    g = radial / r - 4 * math.pi * r * n_atoms / structure.volume
    return g * np.exp(-0.5 * (conditions.q_damp * r) ** 2)


def deviation(calculated, expected):
    return np.abs(calculated - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(
    "structure",
    [
        pytest.param(rock_salt(), id="rock salt"),
        pytest.param(TRICLINIC, id="triclinic with mixed and partly empty sites"),
        pytest.param(TRICLINIC.copy(site_properties={"u_iso": [0.003, 0.02, None]}), id="isotropic displacements"),
        pytest.param(TRICLINIC.copy(site_properties=TENSOR_PROPERTIES), id="tensors"),
    ],
)
@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param(SHORT, id="plain"),
        pytest.param(FULL, id="resolution and delta2"),
        pytest.param(replace(SHORT, q_broad=0.03, delta1=0.8, r_min=0.503, r_step=0.02), id="delta1, odd grid"),
        pytest.param(replace(SHORT, radiation="neutron", delta2=2.0, u_iso=0.002), id="neutrons, narrow peaks"),
    ],
)
def test_it_is_the_sum_of_a_gaussian_for_every_pair(structure, conditions):
    strengths = ELECTRONS if conditions.radiation == "xray" else FERMI_LENGTHS
    (calculated,) = pair_distributions([structure], conditions)
    assert deviation(calculated, direct_sum(structure, conditions, strengths)) < 2e-5


def test_many_different_displacements_are_as_exact_as_few():
    structure = rock_salt() * (2, 1, 1)
    varied = structure.copy(site_properties={"u_iso": [0.004 + 0.0007 * i for i in range(len(structure))]})
    conditions = Conditions(r_max=5.0, delta2=1.0)
    assert deviation(pair_distributions([varied], conditions)[0], direct_sum(varied, conditions, ELECTRONS)) < 2e-5


def test_a_coarse_grid_has_the_values_of_a_fine_one():
    coarse, fine = (pair_distributions([TRICLINIC], replace(FULL, r_step=step))[0] for step in (0.1, 0.01))
    assert deviation(coarse, fine[::10][: len(coarse)]) < 2e-5


#: With this damping there is nothing left of G(r) at the end of the range.
DAMPED = Conditions(r_max=30.0, q_damp=0.2, r_step=0.02)


@pytest.mark.parametrize(("q_min", "q_max"), [(0.0, 15.0), (0.0, 22.3), (1.5, 22.3), (1.5, None)])
def test_termination_is_the_sine_transform_of_a_range_of_q(q_min, q_max):
    (g,) = pair_distributions([rock_salt()], DAMPED)
    (terminated,) = pair_distributions([rock_salt()], replace(DAMPED, q_min=q_min, q_max=q_max))
    q = np.arange(q_min, (q_max or 50.0) + 0.005, 0.01)
    weights = np.full(len(q), q[1] - q[0])
    weights[[0, -1]] /= 2
    sines = np.sin(np.outer(q, DAMPED.r))
    structure_function = sines @ g * DAMPED.r_step
    assert deviation(terminated, 2 / np.pi * (weights * structure_function) @ sines) < 1e-4


def test_what_lies_beyond_the_range_hardly_changes_a_terminated_g():
    limited = replace(DAMPED, q_damp=0.04, q_max=20.0, u_iso=0.02)
    short, long = (pair_distributions([rock_salt()], replace(limited, r_max=r_max))[0] for r_max in (10.0, 30.0))
    assert deviation(short, long[: len(short)]) < 3e-3


def test_partly_filled_sites_scale_it():
    half = Structure(Lattice.cubic(3.0), [{"Fe": 0.5}], [[0, 0, 0]])
    whole = Structure(Lattice.cubic(3.0), ["Fe"], [[0, 0, 0]])
    calculated = pair_distributions([half, whole], FULL)
    assert calculated[0] == pytest.approx(0.5 * calculated[1], abs=1e-9)


def test_species_that_share_a_site_scatter_like_their_mean():
    # (Cl + Na) has the electrons of two Si.
    mixed = Structure(Lattice.cubic(3.0), [{"Na": 0.5, "Cl": 0.5}], [[0, 0, 0]])
    mean = Structure(Lattice.cubic(3.0), ["Si"], [[0, 0, 0]])
    calculated = pair_distributions([mixed, mean], FULL)
    assert calculated[0] == pytest.approx(calculated[1], abs=1e-9)


def test_radiation_does_not_matter_for_one_element():
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.615), ["Cu"], [[0, 0, 0]])
    (xrays,), (neutrons,) = (
        pair_distributions([copper], replace(FULL, radiation=radiation)) for radiation in ("xray", "neutron")
    )
    assert xrays == pytest.approx(neutrons, abs=1e-12)


def test_deuterium_is_not_hydrogen_for_neutrons():
    light, heavy = (Structure(Lattice.cubic(4.0), [h, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]) for h in ("H", "D"))
    xrays = pair_distributions([light, heavy], SHORT)
    neutrons = pair_distributions([light, heavy], replace(SHORT, radiation="neutron"))
    assert xrays[0] == pytest.approx(xrays[1], abs=1e-12)
    assert np.abs(neutrons[0] - neutrons[1]).max() > 1


def test_below_the_first_peak_it_is_the_line_of_the_mean_density():
    (g,) = pair_distributions([rock_salt()], SHORT)
    below = SHORT.r < 2.0
    assert g[below] == pytest.approx(-4 * np.pi * SHORT.r[below] * 8 / 5.64**3, abs=1e-6)


def test_a_cell_without_a_pair_in_range_is_the_line_alone():
    lonely = Structure(Lattice.cubic(40.0), ["Fe"], [[0, 0, 0]])
    (g,) = pair_distributions([lonely], FULL)
    assert g == pytest.approx(-4 * np.pi * FULL.r / 40.0**3 * np.exp(-0.5 * (0.04 * FULL.r) ** 2), abs=1e-12)


def test_at_the_origin_it_is_zero():
    assert pair_distributions([TRICLINIC], replace(FULL, r_min=0.0))[0, 0] == 0


def test_a_batch_holds_what_each_structure_gives_alone():
    batch = pair_distributions([rock_salt(), TRICLINIC], FULL)
    alone = [pair_distributions([structure], FULL)[0] for structure in (rock_salt(), TRICLINIC)]
    assert (batch == np.array(alone)).all()
    assert pair_distributions([], FULL).shape == (0, len(FULL.r))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_it_does_not_depend_on_the_description_of_the_crystal(seed):
    random = np.random.default_rng(seed)
    conditions = Conditions(r_max=6.0, q_max=20.0, delta2=1.0)
    shear = np.eye(3, dtype=int)
    for _ in range(3):
        row, column = random.choice(3, 2, replace=False)
        shear[row] += random.integers(-1, 2) * shear[column]
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    order = random.permutation(len(TRICLINIC))
    fractional = (TRICLINIC.frac_coords + random.uniform(size=3)) @ np.linalg.inv(shear)
    other = Structure(
        Lattice(shear @ TRICLINIC.lattice.matrix @ rotation),
        [TRICLINIC[int(i)].species for i in order],
        fractional[order] + random.integers(-2, 3, (len(order), 3)),
    )
    calculated = pair_distributions([TRICLINIC, other, TRICLINIC * (2, 1, 1)], conditions)
    assert deviation(calculated[1], calculated[0]) < 1e-7
    assert deviation(calculated[2], calculated[0]) < 1e-7


def site_with(**properties):
    return Structure(Lattice.cubic(3.0), ["Fe"], [[0, 0, 0]], site_properties={k: [v] for k, v in properties.items()})


@pytest.mark.parametrize(
    ("structure", "conditions", "message"),
    [
        (Structure(Lattice.cubic(3), [], []), SHORT, "structure 2 has no atoms"),
        (Structure(Lattice.cubic(3), ["X"], [[0, 0, 0]]), SHORT, "holds X0\\+, not an element"),
        (Structure([[3, 0, 0], [0, 3, 0], [3, 3, 1e-9]], ["Fe"], [[0, 0, 0]]), SHORT, "flat or not finite"),
        (
            Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]]),
            replace(SHORT, radiation="neutron"),
            "no neutron scattering length is tabulated for Po of structure 2",
        ),
        (
            Structure(Lattice.cubic(3), [{"Ti": 7.16 / 10.598, "Zr": 3.438 / 10.598}], [[0, 0, 0]]),
            replace(SHORT, radiation="neutron"),
            "average to 0; use X-rays",
        ),
        (
            Structure(Lattice.cubic(3), ["Fe"], [[0, 0, 0]]),
            replace(SHORT, delta2=9.5),
            "Na4 Cl4 \\(structure 1\\) that are 2.820 Å apart",
        ),
        (site_with(u_iso=-0.1), SHORT, "u_iso of site 1 of structure 2 is -0.1"),
        (site_with(u_iso="much"), SHORT, "'much'; give a number"),
        (site_with(u_iso=1e-7), SHORT, "narrowest peak of Fe1 \\(structure 2\\)"),
        (site_with(U11_cif=0.01), SHORT, "lacks U22_cif, U33_cif, U23_cif, U13_cif, U12_cif"),
        (
            site_with(U11_cif=0.01, U22_cif=0.01, U33_cif=-0.01, U23_cif=0.0, U13_cif=0.0, U12_cif=0.0),
            SHORT,
            "not positive along all directions",
        ),
    ],
)
def test_what_has_no_g_is_refused_with_the_name_of_the_structure(structure, conditions, message):
    with pytest.raises(StructureError, match=message):
        pair_distributions([rock_salt(), structure], conditions)


def test_labels_name_structures_in_messages():
    with pytest.raises(StructureError, match="candidate 7 has no atoms"):
        pair_distributions([Structure(Lattice.cubic(3), [], [])], SHORT, ["candidate 7"])


@pytest.mark.parametrize(
    "values",
    [
        {"radiation": "electron"},
        {"q_damp": -0.1},
        {"u_iso": 0.0},
        {"r_step": 0.0},
        {"q_max": 1.0, "q_min": 2.0},
        {"r_max": 0.01},
        {"r_max": math.inf},
    ],
)
def test_conditions_that_make_no_sense_are_refused(values):
    with pytest.raises(OptionError, match=next(iter(values)).split("_")[0]):
        Conditions(**values)


def test_the_grid_ends_at_r_max_in_spite_of_rounding():
    assert len(Conditions(r_min=0.1, r_max=0.7, r_step=0.1).r) == 7
    assert len(Conditions(r_min=0.0, r_max=1.05, r_step=0.1).r) == 11


def test_a_crystal_can_be_given_as_it_is():
    crystal = Crystal.from_structure(TRICLINIC, 0.005)
    assert (pair_distributions([crystal], FULL) == pair_distributions([TRICLINIC], FULL)).all()
