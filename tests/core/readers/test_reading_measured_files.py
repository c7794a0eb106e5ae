"""Every measured pattern and published structure of the project's test data is readable."""

import csv
import os
from pathlib import Path

import pytest

from xtal_core.readers import read_pattern, read_structure

DATA = Path(os.environ.get("XTAL_DATA", Path(__file__).parents[4] / "shared" / "data")) / "experimental"


@pytest.fixture(scope="module")
def index():
    if not (DATA / "index.csv").is_file():
        pytest.skip(f"the test data are not at {DATA}; set XTAL_DATA to their folder")
    with (DATA / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_measured_pattern_is_read_without_touching_its_points(index):
    for row in index:
        pattern = read_pattern(DATA / row["pattern"], wavelength="CuKa")
        assert len(pattern) == int(row["n_points"]), row["pattern"]
        assert pattern.two_theta[0] == pytest.approx(float(row["two_theta_first_deg"]), abs=0.01)
        assert pattern.two_theta[-1] == pytest.approx(float(row["two_theta_last_deg"]), abs=0.01)
        assert pattern.notes == ()


def test_every_published_structure_is_read(index):
    for row in index:
        if row["structure"]:
            assert read_structure(DATA / row["structure"]).is_ordered == (row["ordered"] == "True"), row["structure"]
