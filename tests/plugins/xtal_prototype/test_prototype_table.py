import csv
import gzip
from dataclasses import replace
from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from pymatgen.symmetry.groups import SpaceGroup

from xtal_prototype.alignment import Tolerance, align
from xtal_prototype.atomic_volumes import expected_volume
from xtal_prototype.prototype_label import canonical_label
from xtal_prototype.reading import parse_cell
from xtal_prototype.standard_cell import standardise
from xtal_prototype.table import PROTOTYPE_TABLE, PrototypeTable, embedded_table, read_entries, write_entries


def entry(label):
    """The most frequent entry of a type."""
    return max((e for e in embedded_table().entries if e.label == label), key=lambda e: e.n_members)


def axial_ratio(lattice):
    lengths = np.sort(np.linalg.norm(lattice, axis=1))
    return lengths[0] / lengths[2]


def test_rutile_is_in_the_table_within_its_spread(rutile):
    found = entry("AB2_tP6_136_a_f")
    x = np.min(found.fractional[found.orbits == found.orbits[found.fractional[:, 2] % 0.5 < 1e-6][-1]][:, 0])
    assert axial_ratio(found.lattice) == pytest.approx(
        axial_ratio(rutile.lattice.matrix), abs=3 * 1.5 * found.length_spread.max()
    )
    assert min(x, abs(x - 0.5)) == pytest.approx(min(0.3053, 0.1947), abs=3 * found.coordinate_spread.max() + 0.003)


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("rock_salt", "AB_cF8_225_a_b"),
        ("perovskite", "ABC3_cP5_221_a_b_c"),
        ("rutile", "AB2_tP6_136_a_f"),
        ("spinel", "AB2C4_cF56_227_a_d_e"),
        ("corundum", "A2B3_hR30_167_c_e"),
    ],
)
def test_textbook_structures_match_their_entries_closely(kind, label, request):
    structure = request.getfixturevalue(kind)
    counts = {z: structure.atomic_numbers.count(z) for z in set(structure.atomic_numbers)}
    divisor = np.gcd.reduce(list(counts.values()))
    amounts = {z: n // int(divisor) for z, n in counts.items()}
    known = [e for e in embedded_table().entries if e.label == label]
    templates = PrototypeTable(known).templates(known[0].anonymous, None, amounts)
    fits = [
        StructureMatcher().get_rms_anonymous(Structure(t.lattice, t.numbers, t.fractional), structure)[0]
        for t in templates
    ]
    closest = int(np.argmin([np.inf if rms is None else rms for rms in fits]))
    assert fits[closest] < 0.03
    per_atom = templates[closest].volume / templates[closest].n_atoms
    assert per_atom == pytest.approx(structure.volume / len(structure), rel=0.25)


def test_oxygen_and_fluorine_are_the_usual_anions_of_rutiles():
    anions = max(entry("AB2_tP6_136_a_f").site_species, key=lambda counts: counts.get(8, 0) + counts.get(9, 0))
    assert set(sorted(anions, key=lambda z: -anions[z])[:2]) == {8, 9}


def test_every_entry_is_exactly_symmetric():
    import spglib

    for found in embedded_table().entries[::25]:
        cell = (
            (found.lattice * 10 * len(found.species) ** (1 / 3)).tolist(),
            found.fractional.tolist(),
            found.species.tolist(),
        )
        dataset = spglib.get_symmetry_dataset(cell, symprec=1e-3)
        assert dataset is not None
        # The aggregate may happen to be more symmetric, never less.
        assert len(dataset.rotations) % point_group_order(found.space_group) == 0, found.label


def point_group_order(space_group):
    return len({str(operation.rotation_matrix) for operation in SpaceGroup.from_int_number(space_group).symmetry_ops})


def test_no_entry_comes_from_fewer_than_three_formulas():
    entries = embedded_table().entries
    assert min(e.n_formulas for e in entries) >= 3
    assert min(e.match_rate for e in entries) >= 0.5
    assert len(entries) > 2000


def test_no_entry_reproduces_a_training_structure(data_folder):
    small = [e for e in embedded_table().entries if e.coordinate_spread.max() > 1e-3 and e.n_members <= 5]
    chosen: dict[str, list] = {}
    for found in small[::40]:
        chosen.setdefault(found.label, []).append(found)
    label_of = cache(canonical_label)
    with gzip.open(data_folder / "mp20" / "train.csv.gz", "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if label_of(row["protostructure"]) in chosen]
    displacements = []
    for row in rows:
        cell = standardise(*parse_cell(row["cif"]), precision=0.1)
        for found in chosen[label_of(row["protostructure"])]:
            if found.space_group == cell.space_group:
                lattice = found.lattice * abs(np.linalg.det(cell.lattice)) ** (1 / 3)
                numbers = found.species + 1
                entry_cell = replace(
                    cell, lattice=lattice, fractional=found.fractional, numbers=numbers, orbits=found.orbits
                )
                alignment = align(entry_cell, cell, Tolerance(0.2, 5.0, 0.2))
                displacements += [] if alignment is None else [alignment.rms]
    assert len(displacements) > 30
    assert min(displacements) > 1e-5


def test_cells_are_scaled_to_the_volume_of_the_elements_asked_for():
    table = embedded_table()
    for amounts in ({12: 1, 9: 2}, {92: 1, 53: 2}):
        template = next(t for t in table.templates("A1B2", 2, amounts) if t.label == "AB2_tP6_136_a_f")
        ratio = template.volume / expected_volume({z: 2 * n for z, n in amounts.items()})
        assert ratio == pytest.approx(entry("AB2_tP6_136_a_f").volume_ratio, rel=0.2)
    without = next(t for t in table.templates("A1B2", 2) if t.label == "AB2_tP6_136_a_f")
    assert without.volume > 0


@pytest.mark.parametrize("z", [1, 4])
def test_formula_units_may_be_those_of_either_cell(z):
    labels = [t.label for t in embedded_table().templates("A1B1", z)]
    assert "AB_cF8_225_a_b" in labels


def test_templates_are_ordered_by_frequency_and_consistent():
    templates = embedded_table().templates("A1B1C3")
    assert [t.n_members for t in templates] == sorted((t.n_members for t in templates), reverse=True)
    assert sum(t.weight for t in templates) == pytest.approx(1)
    for template in templates:
        assert len(set(template.numbers.tolist())) == 3
        assert sorted(template.amounts.values()) == [1, 1, 3]
        assert template.site_species is not None
        assert len(template.site_species) == template.n_orbits
        for orbit, counts in enumerate(template.site_species):
            assert len(set(template.numbers[template.orbits == orbit].tolist())) == 1
            assert sum(counts.values()) == template.n_members
    assert embedded_table().formula_units("A1B1C3")[0] in {t.z_conventional for t in templates}


def test_a_table_file_comes_back_and_is_reproducible():
    entries = embedded_table().entries[:40]
    first, second = BytesIO(), BytesIO()
    write_entries(first, entries)
    write_entries(second, entries)
    assert first.getvalue() == second.getvalue()
    first.seek(0)
    again = read_entries(first)
    assert [e.label for e in again] == [e.label for e in entries]
    assert [e.site_species for e in again] == [e.site_species for e in entries]
    assert all(np.array_equal(a.fractional, b.fractional) for a, b in zip(again, entries, strict=True))
    assert all(np.array_equal(a.lattice, b.lattice) for a, b in zip(again, entries, strict=True))


def test_the_table_is_small():
    assert len((files("xtal_prototype") / "data" / PROTOTYPE_TABLE).read_bytes()) < 3_000_000
