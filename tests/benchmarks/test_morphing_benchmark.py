import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

import morphing
from data_sets import Material, write_materials
from measured_pdf import SAMPLES, rank_measured
from xtal_core.errors import InputError
from xtal_pair_distribution.morphing import Morph, morphed
from xtal_pair_distribution.pair_distribution import PairDistribution


class FakePeer:
    """Refines as ours does, reports as diffpy.morph does; every third result upside down, every seventh none at all."""

    def __init__(self, *_):
        self.calls = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def versions(self, distributions):
        return dict.fromkeys(distributions, "0.0")

    def call(self, function, source, target, r_min, r_max, *morph):
        assert (r_min, r_max) == morphing.WINDOW
        source, target = (PairDistribution(*np.ascontiguousarray(table.T)) for table in (source, target))
        if function == "evaluate":
            return {"Rw": self._rw(source, target, *morph)}, 0.0
        self.calls += 1
        if self.calls % 7 == 0:
            return None, 1.0
        fitted, _ = morphing.refine(source, 0.07, target)
        scale = -fitted.scale if self.calls % 3 == 0 else fitted.scale
        slope = -4 * np.pi * 0.07 * scale / (1 + fitted.stretch)
        values = {"scale": scale, "stretch": fitted.stretch, "smear": -fitted.smear, "baselineslope": slope}
        return values | {"Rw": self._rw(source, target, *values.values())}, 1.0

    def _rw(self, source, target, scale, stretch, smear, slope):
        compared = morphing.target_of(target)
        density = -slope * (1 + stretch) / (4 * np.pi * scale)
        return morphing.rw_of(morphed(source, Morph(scale, stretch, abs(smear), 0.0, density), compared.r), compared)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        return run(tmp_path_factory.mktemp("run"), monkeypatch)


def run(tmp_path, monkeypatch):
    """Return the record and the page of nine pairs of small cells."""
    folder = tmp_path / "data" / "mp20"
    folder.mkdir(parents=True)
    structures = [
        Structure.from_spacegroup(225, Lattice.cubic(4 + 0.1 * n), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for n in range(10)
    ]
    materials = [Material(str(n), s.get_primitive_structure().to(fmt="cif"), None) for n, s in enumerate(structures)]
    write_materials(folder / "val.csv.gz", materials)
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(morphing, "Peer", FakePeer)
    measured = {"from": "file", "pdf-rw": 0.1, "pdf-pcc": 0.01, "pdf-rw stretching": 0.3}
    measured |= dict.fromkeys(("stretch", "smear", "damping"), 0.0)
    monkeypatch.setattr(
        morphing,
        "rank_measured",
        lambda sample, _: [
            {**measured, "measured": sample.name, "kind": "own", "structure": sample.name},
            {**measured, "measured": sample.name, "kind": "wrong", "structure": "X", "pdf-rw": 0.2},
        ],
    )
    assert morphing.main(["--pairs", "9", "--out", str(tmp_path)]) == 0
    return json.loads((tmp_path / "morphing.json").read_text()), (tmp_path / "morphing.md").read_text()


def test_both_sides_are_compared_pair_by_pair(record):
    rows = record[0]["pairs"]
    assert [row["kind"] for row in rows] == [*morphing.MIXED] * 3
    for row in rows:
        assert row["peer_rw_at_morph"] == pytest.approx(row["rw"], abs=1e-6)
        if row["peer_rw"] is not None:
            assert row["rw_at_peer_morph"] == pytest.approx(row["peer_rw"], abs=1e-6)


def test_the_page_counts_what_is_in_the_record(record):
    rows, page = record[0]["pairs"], record[1]
    differences = [row["rw"] - row["peer_rw"] for row in rows if row["peer_rw"] is not None]
    assert len(differences) == 8
    same, lower = sum(abs(d) <= 1e-4 for d in differences), sum(d < -1e-4 for d in differences)
    text = " ".join(page.split())
    assert f"{same} of 9 end in the same Rw within 0.0001, {lower} in a lower one by `xtal`" in text
    assert "1 did not converge in diffpy.morph" in text
    assert "python benchmarks/morphing.py --pairs 9" in page
    assert "Ni: its own structure has Rw 0.100 and ranks number 1 by `pdf-rw`" in text


def test_of_two_starts_of_the_peer_the_better_one_counts(record):
    rows, page = record[0]["related"], record[1]
    assert [row["kind"] for row in rows] == [*morphing.RELATED] * 3
    for row in rows:
        assert row["peer_rw"] == min(value for value in row["peer_rws"] if value is not None)
    same = sum(abs(row["rw"] - row["peer_rw"]) <= 1e-4 for row in rows)
    assert f"**{same} of 9 within 0.0001**" in page


def test_structures_that_the_table_lacks_are_named():
    with pytest.raises(InputError, match=r"there is no experimental/pdf|mp20/val lacks mp-1487"):
        rank_measured(SAMPLES[0], [])


def test_a_missing_environment_is_an_error_with_what_to_do(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "mp20"
    folder.mkdir()
    write_materials(folder / "val.csv.gz", [Material("1", "data_", None)])
    monkeypatch.setenv("XTAL_DATA", str(tmp_path))
    assert morphing.main(["--peers-python", str(tmp_path / "python")]) == 2
    assert "there is no Python with the peers" in capsys.readouterr().err
