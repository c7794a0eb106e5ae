from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from safetensors.numpy import save_file

from toys import caesium_chloride_type, rocksalt
from xtal_core.errors import InputError
from xtal_core.training_set import N_BINS, TrainingSet


def crystals():
    wurtzite = Structure(
        Lattice.hexagonal(3.25, 5.2), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]], coords_are_cartesian=False
    )
    return [rocksalt(5.64).get_primitive_structure(), caesium_chloride_type(4.1), wurtzite]


def training_set(structures, names=None):
    """Return a training set of `structures` with two sticks each, at bins 10 i and 10 i + 5."""
    n = len(structures)
    return TrainingSet(
        names=tuple(names or (f"crystal-{i}" for i in range(n))),
        n_atoms=np.array([len(s) for s in structures], np.int32),
        lattice=np.array([s.lattice.matrix for s in structures], np.float32),
        space_group=np.arange(1, n + 1, dtype=np.int16),
        atomic_numbers=np.array([z for s in structures for z in s.atomic_numbers], np.uint8),
        frac_coords=np.concatenate([s.frac_coords % 1 for s in structures]).astype(np.float32),
        stick_offsets=np.arange(0, 2 * n + 1, 2),
        stick_bins=np.array([b for i in range(n) for b in (10 * i, 10 * i + 5)], np.uint16),
        stick_heights=np.array([0.5, 1.0] * n, np.float32),
        metadata={"sources": "toys"},
    )


@pytest.fixture
def three():
    return training_set(crystals())


def same(first, second):
    arrays = [name for name in vars(first) if isinstance(getattr(first, name), np.ndarray)]
    return first.names == second.names and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in arrays if name != "atom_offsets"
    )


def test_what_is_saved_is_what_is_loaded(three, tmp_path):
    three.save(tmp_path / "three.safetensors")
    loaded = TrainingSet.load(tmp_path / "three.safetensors")
    assert same(three, loaded)
    assert loaded.metadata == {"sources": "toys"}
    assert [file.name for file in tmp_path.iterdir()] == ["three.safetensors"]


def test_the_same_set_is_the_same_file(three, tmp_path):
    three = replace(three, metadata={str(i): "text" for i in range(20)})
    for name in ("first", "second"):
        three.save(tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_names_of_any_alphabet_survive(tmp_path):
    training_set(crystals()[:1], ["α-quartz, 石英"]).save(tmp_path / "one.safetensors")
    assert TrainingSet.load(tmp_path / "one.safetensors").names == ("α-quartz, 石英",)


def test_structures_come_back(three):
    for index, structure in enumerate(crystals()):
        assert StructureMatcher(scale=False).fit(three.structure(index), structure)


def test_sticks_are_where_their_bins_are(three):
    patterns = three.sticks([2, 0])
    assert patterns.shape == (2, N_BINS)
    assert {i: patterns[0, i] for i in np.flatnonzero(patterns[0])} == {20: 0.5, 25: 1.0}
    assert {i: patterns[1, i] for i in np.flatnonzero(patterns[1])} == {0: 0.5, 5: 1.0}


def test_a_subset_is_what_was_chosen_in_that_order(three):
    chosen = three.subset([2, 0])
    assert chosen.names == ("crystal-2", "crystal-0")
    assert chosen.structure(0) == three.structure(2)
    assert chosen.structure(1) == three.structure(0)
    assert np.array_equal(chosen.sticks([0, 1]), three.sticks([2, 0]))
    assert chosen.space_group.tolist() == [3, 1]
    assert chosen.defect() == ""


def test_joining_the_subsets_gives_the_set(three):
    assert same(TrainingSet.join([three.subset([0]), three.subset([1, 2])]), three)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lattice": np.full((3, 3, 3), np.nan, np.float32)}, "lattice holds numbers that are not finite"),
        ({"lattice": np.zeros((3, 3, 3), np.float32)}, "a crystal with a flat cell: crystal-0"),
        ({"lattice": np.zeros((2, 3, 3), np.float32)}, r"lattice is \(2, 3, 3\) instead of \(3, 3, 3\)"),
        ({"atomic_numbers": np.array([1, 2, 0, 4, 5, 6], np.uint8)}, "an unknown element: crystal-1"),
        ({"atomic_numbers": np.array([1, 2, 3, 4, 119, 6], np.uint8)}, "an unknown element: crystal-2"),
        ({"frac_coords": np.full((6, 3), 1.0, np.float32)}, "coordinates outside the cell: crystal-0"),
        ({"stick_offsets": np.array([0, 0, 3, 6])}, "without a pattern: crystal-0"),
        ({"stick_offsets": np.array([0, 4, 2, 6])}, "do not divide the sticks"),
        ({"stick_bins": np.full(6, N_BINS, np.uint16)}, "a stick beyond the last bin"),
    ],
)
def test_contents_that_cannot_be_are_refused_when_loaded(three, change, reason, tmp_path):
    replace(three, **change).save(tmp_path / "wrong.safetensors")
    with pytest.raises(InputError, match=reason) as caught:
        TrainingSet.load(tmp_path / "wrong.safetensors")
    assert "wrong.safetensors" in str(caught.value)


def test_an_empty_set_is_refused_when_loaded(three, tmp_path):
    three.subset([]).save(tmp_path / "empty.safetensors")
    with pytest.raises(InputError, match="holds no crystal"):
        TrainingSet.load(tmp_path / "empty.safetensors")


def test_files_that_are_no_training_set_are_refused(three, tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        TrainingSet.load(tmp_path / "absent.safetensors")
    save_file({"x": np.zeros(3)}, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match="is not a training set"):
        TrainingSet.load(tmp_path / "weights.safetensors")
    three.save(tmp_path / "whole.safetensors")
    content = (tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-10])
    with pytest.raises(InputError, match="is not a complete training set"):
        TrainingSet.load(tmp_path / "cut.safetensors")


def test_a_file_of_another_version_is_refused(three, tmp_path, monkeypatch):
    monkeypatch.setattr("xtal_core.training_set.FORMAT_VERSION", "2")
    three.save(tmp_path / "newer.safetensors")
    monkeypatch.undo()
    with pytest.raises(InputError, match="has version 2 of the format, this program reads version 1"):
        TrainingSet.load(tmp_path / "newer.safetensors")
