from __future__ import annotations

import pytest

from xtal_core.errors import InputError
from xtal_prototype.library import StructureLibrary
from xtal_prototype.plugin import PrototypeOptions
from xtal_prototype.reading import read_entry
from xtal_prototype.sources import RawStructure
from xtal_prototype.table import embedded_table
from xtal_prototype.templates import TemplateSources, used_library


@pytest.fixture
def library(tmp_path, rock_salt):
    path = tmp_path / "library.sqlite"
    with StructureLibrary.open_for_adding(path) as opened:
        opened.add([read_entry(RawStructure("halite", rock_salt.to(fmt="cif")))])
    return path


@pytest.fixture(autouse=True)
def absent_default(monkeypatch, tmp_path):
    """Whoever runs the tests may have a library of their own."""
    monkeypatch.setenv("XTAL_LIBRARY", str(tmp_path / "absent.sqlite"))


SODIUM_CHLORIDE, SILVER_BROMIDE = {11: 1, 17: 1}, {47: 1, 35: 1}


def kinds(options, z=None, amounts=SODIUM_CHLORIDE):
    with TemplateSources(options) as sources:
        return {template.source.split()[0] for template in sources.of_composition(amounts, z)}


def test_library_table_and_aflow_are_searched_together(library):
    assert kinds(PrototypeOptions(library=str(library))) == {"library", "prototype", "AFLOW"}


@pytest.mark.parametrize(
    ("switched_off", "left"),
    [
        ({"table": False}, {"library", "AFLOW"}),
        ({"aflow": False}, {"library", "prototype"}),
        ({"use_library": False}, {"prototype", "AFLOW"}),
        ({"table": False, "aflow": False, "use_library": False}, set()),
    ],
)
def test_each_source_can_be_switched_off(library, monkeypatch, switched_off, left):
    monkeypatch.setenv("XTAL_LIBRARY", str(library))
    assert kinds(PrototypeOptions(**switched_off)) == left


def test_the_formula_itself_can_be_left_out_as_if_the_compound_were_new(library):
    new = PrototypeOptions(library=str(library), same_formula=False)
    assert kinds(new) == {"prototype", "AFLOW"}
    assert kinds(new, amounts=SILVER_BROMIDE) == {"library", "prototype", "AFLOW"}


PEROVSKITE, OTHER_PEROVSKITE = {20: 1, 22: 1, 8: 3}, {38: 1, 22: 1, 8: 3}


def test_no_source_holds_a_structure_of_a_formula_that_is_left_out():
    def aflow(options, amounts):
        with TemplateSources(options) as sources:
            return [t for t in sources.of_composition(amounts, None) if t.source.startswith("AFLOW")]

    new = PrototypeOptions(use_library=False, same_formula=False)
    known, unknown = (aflow(options, PEROVSKITE) for options in (PrototypeOptions(use_library=False), new))
    left_out = {t.source for t in known} - {t.source for t in unknown}
    assert left_out == {"AFLOW AB3C_oP20_62_c_cd_a", "AFLOW AB3C_cP5_221_a_c_b"}
    assert [t.amounts for t in known if t.source in left_out] == [PEROVSKITE] * 2
    assert len(aflow(new, OTHER_PEROVSKITE)) == len(known)


def test_types_known_from_several_formulas_are_never_left_out():
    assert all(entry.n_formulas > 1 for entry in embedded_table().entries)
    counts = []
    for same_formula in (True, False):
        with TemplateSources(PrototypeOptions(use_library=False, aflow=False, same_formula=same_formula)) as sources:
            counts.append(len(sources.of_composition(PEROVSKITE, None)))
    assert counts[0] == counts[1] > 1


def test_a_library_that_was_named_must_exist(tmp_path):
    with pytest.raises(InputError, match="xtal library add"):
        TemplateSources(PrototypeOptions(library=str(tmp_path / "other.sqlite")))


def test_the_default_library_may_be_absent():
    assert used_library(PrototypeOptions()) is None
    assert kinds(PrototypeOptions()) == {"prototype", "AFLOW"}


def test_the_default_library_is_used_when_it_is_there(library, monkeypatch):
    monkeypatch.setenv("XTAL_LIBRARY", str(library))
    assert used_library(PrototypeOptions()) == library
    assert "library" in kinds(PrototypeOptions())


def test_templates_have_the_formula_units_or_the_size_asked_for(library):
    with TemplateSources(PrototypeOptions(library=str(library))) as sources:
        for z in (1, 2, 4):
            templates = sources.of_composition(SODIUM_CHLORIDE, z)
            assert templates
            assert all(z in (t.z_primitive, t.z_conventional) for t in templates)
        for n_atoms in (2, 5):
            sized = sources.of_size(n_atoms)
            assert {t.n_atoms for t in sized} == {n_atoms}
            assert len({t.anonymous for t in sized}) > 1 or n_atoms == 2


def test_the_library_is_closed_afterwards(library):
    with TemplateSources(PrototypeOptions(library=str(library))) as sources:
        opened = sources.library
    with pytest.raises(Exception, match="closed"):
        opened.counts()
