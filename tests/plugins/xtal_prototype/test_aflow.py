import pytest
from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from xtal_prototype import aflow
from xtal_prototype.aflow import aflow_templates
from xtal_prototype.template import anonymous_key


def test_every_prototype_of_pymatgen_is_there():
    structures = [record["snl"].structure for record in AFLOW_PROTOTYPE_LIBRARY]
    for composition in ("A1B1C3", "A1B2", "A1B2C4"):
        theirs = [
            structure
            for structure in structures
            if anonymous_key(int(n) for n in structure.composition.get_el_amt_dict().values()) == composition
        ]
        ours = aflow_templates(composition)
        assert len(ours) == len(theirs) > 0
        assert sum(template.weight for template in ours) == pytest.approx(1)
        for template, structure in list(zip(ours, theirs, strict=True))[:10]:
            assert StructureMatcher().fit(Structure(template.lattice, template.numbers, template.fractional), structure)


def test_formula_units_select_templates():
    labels = [template.label for template in aflow_templates("A1B1C3", 1)]
    assert "ABC3_cP5_221_a_b_c" in labels
    assert all(1 in (t.z_primitive, t.z_conventional) for t in aflow_templates("A1B1C3", 1))
    assert aflow_templates("A17B19") == []


def test_of_the_whole_collection_only_the_prototypes_asked_for_are_standardised(monkeypatch):
    standardised = []
    standardise = aflow.standardise
    monkeypatch.setattr(aflow, "standardise", lambda *cell: standardised.append(cell) or standardise(*cell))
    aflow._templates.cache_clear()
    found = aflow_templates("A1B1C3")
    assert len(standardised) == len(found) < len(AFLOW_PROTOTYPE_LIBRARY) / 5
    aflow_templates("A1B1C3")
    assert len(standardised) == len(found)
