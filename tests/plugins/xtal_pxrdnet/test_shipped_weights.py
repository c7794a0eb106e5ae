"""The weights in the package: what was recorded, small enough, and good for what the generators need them for."""

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtal_cdvae.generator import CDVAESearchGenerator
from xtal_cdvae.plugin import CDVAESearchOptions
from xtal_core.interfaces import Workbench
from xtal_core.testing.problems import problem_of
from xtal_core.weights import find_weights, packaged_file
from xtal_pxrdnet.generator import PXRDNetGenerator
from xtal_pxrdnet.plugin import PXRDNetOptions, xtal_weights


@pytest.fixture(scope="module")
def rutile():
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]]
    )


def test_they_are_what_was_recorded_and_their_card_is_about_them():
    (record,) = xtal_weights()
    file = find_weights(record.name, "pxrdnet")
    assert (file.sha256, file.path.stat().st_size) == (record.sha256, record.bytes)
    assert record.bytes < 20_000_000
    card = packaged_file(record.card).read_text(encoding="utf-8")
    assert record.sha256 in card
    assert "CC BY 4.0" in card


def test_pxrdnet_solves_rutile_with_its_default_weights(rutile, simulator):
    problem = problem_of(rutile, simulator, z=2)
    candidates = PXRDNetGenerator(PXRDNetOptions()).generate(problem, Workbench(simulator))
    matcher = StructureMatcher(0.3, 0.5, 10)
    assert any(matcher.fit(candidate.structure, rutile) for candidate in candidates)


def test_the_baseline_takes_the_same_weights(rutile, simulator):
    options = CDVAESearchOptions(candidates=4, levels=10)
    assert options.weights == PXRDNetOptions().weights
    problem = problem_of(rutile, simulator, z=2)
    (file,) = (generator := CDVAESearchGenerator(options)).generate(problem, Workbench(simulator)) and generator.files()
    assert file == find_weights(options.weights).path
