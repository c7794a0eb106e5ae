import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

import pair_distribution
from data_sets import Material, write_materials
from pair_distribution import CASES, conditions_for, displaced, main
from xtal_core.displacements import TENSOR, tensor_properties
from xtal_pair_distribution.calculation import pair_distributions
from xtal_pair_distribution.conditions import Conditions


class FakePeer:
    """A peer that calculates what we do, from what it is given, 1 % too large and in 50 ms."""

    def __init__(self, *arguments):
        self.prepared = None

    def __enter__(self):
        return self

    def __exit__(self, *arguments):
        pass

    def call(self, function, *arguments):
        if function == "prepare":
            lattice, fractional, symbols, occupancies, displacements, conditions, _ = arguments
            rows = [tensor_properties(tensor) for tensor in displacements]
            structure = Structure(
                lattice,
                [{symbol: occupancy} for symbol, occupancy in zip(symbols, occupancies, strict=True)],
                fractional,
                site_properties={name: [row[name] for row in rows] for name in TENSOR},
            )
            self.prepared = structure, Conditions(**conditions)
            return None, 0.0
        return 1.01 * pair_distributions([self.prepared[0]], self.prepared[1])[0], 0.05

    def repeat(self, function, times, *arguments):
        return self.call(function, *arguments)

    def versions(self, distributions):
        return dict.fromkeys(distributions, "1.2.3")


@pytest.fixture
def rutile():
    lattice = Lattice.tetragonal(4.594, 2.959)
    return Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]])


@pytest.fixture
def result(tmp_path, monkeypatch, rutile):
    """The record and the page of a run with a fake peer."""
    folder = tmp_path / "data" / "mp20"
    folder.mkdir(parents=True)
    write_materials(folder / "val.csv.gz", [Material("one", rutile.to(fmt="cif"), None)])
    monkeypatch.setenv("XTAL_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(pair_distribution, "Peer", FakePeer)
    assert main(["--structures", "1", "--repeats", "1", "--out", str(tmp_path / "results")]) == 0
    return [(tmp_path / "results" / f"pair_distribution.{kind}").read_text() for kind in ("json", "md")]


def test_the_page_has_the_figures_that_are_in_the_record(result):
    record, page = json.loads(result[0]), result[1]
    assert len(record["agreement"]) == len(CASES)
    for row in record["agreement"]:
        assert f"{row['largest']:.6f}" in page
    for row in record["speed"]["cases"]:
        assert row["ratio"] == pytest.approx(row["pdffit2_milliseconds"] / row["xtal_milliseconds"])
        assert f"| {row['ratio']:.1f} |" in page
    assert "diffpy.pdffit2 1.2.3" in page


def test_deviations_of_the_peer_are_found(result):
    values = {row["case"]: row["median"] for row in json.loads(result[0])["agreement"]}
    assert values["X-rays"] == pytest.approx(0.01 / 1.01, rel=1e-3)
    assert values["X-rays, no end of Q, tensors"] == pytest.approx(0.01 / 1.01, rel=1e-3)


def test_delta2_leaves_the_nearest_neighbours_half_of_their_width(rutile):
    assert conditions_for(Conditions(), rutile).delta2 == pytest.approx((0.1947 * 4.594) ** 2 + 2.959**2 / 8)


def test_random_tensors_have_the_principal_values_they_should(rutile):
    tensors = displaced(rutile, anisotropic=True, seed=0)
    lattice = tensors.lattice.matrix
    to_cartesian = lattice * np.linalg.norm(np.linalg.inv(lattice), axis=0)[:, None]
    for site in tensors:
        u11, u22, u33, u23, u13, u12 = (site.properties[name] for name in TENSOR)
        cif = np.array([[u11, u12, u13], [u12, u22, u23], [u13, u23, u33]])
        values = np.linalg.eigvalsh(to_cartesian.T @ cif @ to_cartesian)
        assert values.min() >= 0.003 - 1e-12
        assert values.max() <= 0.012 + 1e-12
