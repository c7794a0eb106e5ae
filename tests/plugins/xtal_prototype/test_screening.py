from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from toys import ToySimulator, caesium_chloride_type, pattern_of, rocksalt
from xtal_core.cells import CellBatch
from xtal_core.interfaces import Workbench
from xtal_core.measurement import Profile
from xtal_core.target import make_target
from xtal_prototype.assignment import Decoration
from xtal_prototype.library import StructureLibrary
from xtal_prototype.reading import read_entry
from xtal_prototype.screening import VOLUME_FACTORS, screen
from xtal_prototype.sources import RawStructure

PROFILE = Profile(gaussian_sigma=0.02)
WORKBENCH = Workbench(ToySimulator())


@pytest.fixture(scope="module")
def decorated(tmp_path_factory):
    """Rock salt, the CsCl type and wurtzite as NaCl, from a library."""
    wurtzite = Structure.from_spacegroup(
        "P6_3mc", Lattice.hexagonal(4.6, 7.4), ["Na", "Cl"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]]
    )
    named = {"rock salt": rocksalt(5.0), "CsCl": caesium_chloride_type(3.3), "wurtzite": wurtzite}
    path = tmp_path_factory.mktemp("library") / "library.sqlite"
    with StructureLibrary.open_for_adding(path) as library:
        library.add([read_entry(RawStructure(name, structure.to(fmt="cif"))) for name, structure in named.items()])
        templates = {t.source.removeprefix("library "): t for t in library.templates("A1B1")}
    return [Decoration(templates[name], templates[name].numbers, 0.0) for name in named]


@pytest.fixture(scope="module")
def target():
    return make_target(pattern_of(rocksalt(5.64)), 0.05, 0.02)


def test_each_template_is_scaled_to_the_volume_where_it_fits_best(decorated, target):
    truth = 5.64**3 / 4
    for error in (0.85, 1.0, 1.2):
        (found, *_) = screen(WORKBENCH, target, PROFILE, decorated, np.array([truth * error, 45.0, 90.0]))
        # Volumes tried are 4.8 % apart.
        assert np.linalg.det(found.lattice) == pytest.approx(truth, rel=0.03)
        assert found.decoration is decorated[0]
        shape = found.lattice / np.cbrt(abs(np.linalg.det(found.lattice)))
        original = decorated[0].template.lattice / np.cbrt(decorated[0].template.volume)
        np.testing.assert_allclose(shape, original, atol=1e-12)


def test_the_right_type_describes_the_pattern_best(decorated, target):
    residuals = [s.residual for s in screen(WORKBENCH, target, PROFILE, decorated, np.array([45.0, 45.0, 90.0]))]
    assert residuals[0] == min(residuals) < 0.6 * residuals[1]
    assert all(0 <= residual <= 1 for residual in residuals)


def test_the_order_is_kept_whatever_the_sizes_of_the_cells(decorated, target):
    mixed = [decorated[2], decorated[0], decorated[1], decorated[2]]
    volumes = np.array([90.0, 45.0, 45.0, 88.0])
    found = screen(WORKBENCH, target, PROFILE, mixed, volumes)
    assert [s.decoration for s in found] == mixed
    alone = screen(WORKBENCH, target, PROFILE, mixed[-1:], volumes[-1:])
    assert found[-1].residual == pytest.approx(alone[0].residual)


def test_the_residual_is_that_of_the_best_scale_and_background(decorated, target):
    (found,) = screen(WORKBENCH, target, PROFILE, decorated[1:2], np.array([45.0]))
    cells = CellBatch.from_cells([(found.lattice, decorated[1].template.fractional, decorated[1].numbers)])
    (simulated,) = ToySimulator().simulate(cells, target.measurement, [target.broadened(PROFILE)])
    right = target.intensity * target.root_weights
    columns = np.column_stack([simulated * target.root_weights, target.background])
    rest = right - columns @ np.linalg.lstsq(columns, right, rcond=None)[0]
    observed = target.without_background(target.intensity)
    assert found.residual == pytest.approx(rest @ rest / (observed @ observed), rel=1e-6)


def test_volumes_tried_are_as_far_apart_as_smoothed_peaks_allow():
    steps = np.diff(np.cbrt(VOLUME_FACTORS)) / np.cbrt(VOLUME_FACTORS[:-1])
    assert steps.max() < 0.02
    assert VOLUME_FACTORS[0] < 0.8
    assert VOLUME_FACTORS[-1] > 1.25
