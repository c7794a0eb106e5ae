"""Measured G(r) among their own structures and wrong ones, the same that the benchmark's page shows."""

from __future__ import annotations

import pytest

from data_sets import data_file, read_materials
from measured_pdf import SAMPLES, rank_measured
from xtal_core.errors import InputError


@pytest.fixture(scope="module")
def materials():
    try:
        data_file("experimental/pdf/ni.cif")
        return read_materials(data_file("mp20/val.csv.gz"))
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_measured_data_rank_their_own_structure_before_ten_wrong_ones(sample, materials):
    rows = rank_measured(sample, materials)
    own = next(row for row in rows if row["kind"] == "own")
    wrong = [row for row in rows if row["kind"] == "wrong"]
    assert len(wrong) == 10
    for metric in ("pdf-rw", "pdf-pcc"):
        assert own[metric] < min(row[metric] for row in wrong)


def test_nickel_and_copper_are_not_told_apart_by_a_stretch_of_three_per_cent(materials):
    rows = {row["structure"]: row for row in rank_measured(SAMPLES[0], materials)}
    assert rows["Cu"]["pdf-rw"] > rows["Ni"]["pdf-rw"] + 0.5
    assert rows["Cu"]["pdf-rw stretching"] < rows["Ni"]["pdf-rw stretching"] + 0.01
