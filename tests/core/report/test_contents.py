from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure
from rich.console import Console

from toys import salt_problem
from xtal_core.candidate import Candidate, Score
from xtal_core.pipeline import solve
from xtal_core.ranking import space_group
from xtal_core.report import crystal_files, solution_record, solution_table, to_json
from xtal_core.report.plot import reflection_positions, write_plot
from xtal_core.report.table import write_candidates, write_pattern


@pytest.fixture(scope="module")
def solution(request):
    toy_tools = request.getfixturevalue("toy_tools")
    return solve(salt_problem(), toy_tools())


@pytest.fixture(scope="module")
def files(solution):
    return crystal_files(solution.ranked)


def shown(solution, files, width=120):
    stream = io.StringIO()
    Console(width=width, highlight=False, file=stream).print(solution_table(solution, files))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("number", "lattice", "species", "sites"),
    [
        (225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        (186, Lattice.hexagonal(3.25, 5.207), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.3819]]),
        (167, Lattice.hexagonal(4.759, 12.991), ["Al", "O"], [[0, 0, 0.3522], [0.3063, 0, 0.25]]),
        (14, Lattice.monoclinic(5.15, 5.21, 5.32, 99.2), ["Zr"], [[0.2754, 0.0395, 0.2083]]),
    ],
)
def test_reflection_ticks_are_where_pymatgen_has_reflections(number, lattice, species, sites):
    structure = Structure.from_spacegroup(number, lattice, species, sites)
    ranked = solution_candidate(structure)
    peaks = XRDCalculator(1.540593).get_pattern(structure, two_theta_range=(10, 70))
    expected = 4 * np.pi * np.sin(np.radians(peaks.x / 2)) / 1.540593
    (file,) = crystal_files([ranked])
    q = 4 * np.pi * np.sin(np.radians([5, 35])) / 1.540593
    ticks = reflection_positions(file.text, *q)
    assert np.abs(expected[:, None] - ticks).min(axis=1).max() < 1e-4  # every reflection has a tick
    # Ticks beyond pymatgen's are reflections whose intensity happens to vanish; in rock salt there are none.
    assert len(np.unique(ticks.round(5))) >= len(expected)
    assert number != 225 or len(ticks) == len(expected)


def solution_candidate(structure):
    from xtal_core.candidate import RankedCandidate

    return RankedCandidate(1, Candidate(structure, "toy"), 0.0, space_group(structure))


def test_the_plot_is_a_picture_with_something_on_it(solution, files, tmp_path):
    write_plot(tmp_path / "plot.png", solution, files)
    pixels = imread(tmp_path / "plot.png")
    assert pixels.shape[:2] == (810, 1440)
    # The red of the calculated curve is there.
    assert (np.abs(pixels[..., :3] - np.array([0xD1, 0x49, 0x5B]) / 255).max(axis=-1) < 0.02).sum() > 500


def test_excluded_regions_are_shaded(solution, files, tmp_path):
    excluded = np.abs(solution.problem.pattern.two_theta - 60) < 5
    problem = replace(solution.problem, pattern=replace(solution.problem.pattern, excluded=excluded))
    grey = []
    for name, shown_solution in (("plain", solution), ("shaded", replace(solution, problem=problem))):
        write_plot(tmp_path / f"{name}.png", shown_solution, files)
        pixels = imread(tmp_path / f"{name}.png")
        grey.append((np.abs(pixels[..., :3] - np.array([0xE9, 0xEC, 0xEF]) / 255).max(axis=-1) < 0.01).sum())
    # Ten of 65 degrees.
    assert grey[1] - grey[0] > 0.1 * pixels.shape[0] * pixels.shape[1] * 0.7


def test_without_candidates_the_measured_pattern_alone_is_drawn_and_written(solution, tmp_path):
    nothing = replace(solution, ranked=())
    write_plot(tmp_path / "plot.png", nothing, [])
    write_pattern(tmp_path / "pattern.csv", nothing)
    write_candidates(tmp_path / "candidates.csv", nothing, [])
    assert (tmp_path / "plot.png").stat().st_size > 10_000
    header = (tmp_path / "pattern.csv").read_text().splitlines()[0]
    assert header == "two_theta_degrees,q_per_angstrom,observed"
    assert len((tmp_path / "candidates.csv").read_text().splitlines()) == 1


def test_uncertainties_are_written_beside_the_pattern(solution, tmp_path):
    pattern = solution.problem.pattern
    measured = replace(solution.problem, pattern=replace(pattern, uncertainty=np.sqrt(pattern.intensity)))
    write_pattern(tmp_path / "pattern.csv", replace(solution, problem=measured))
    row = next(csv.DictReader((tmp_path / "pattern.csv").open()))
    assert float(row["uncertainty"]) == pytest.approx(float(row["observed"]) ** 0.5, rel=1e-6)


def test_the_table_fits_a_narrow_terminal_and_shows_markup_as_it_is(solution, files):
    first = solution.ranked[0]
    odd = replace(first, candidate=replace(first.candidate, origin="[red]ICSD[/red] 1"))
    text = shown(replace(solution, ranked=(odd, *solution.ranked[1:])), files, width=80)
    assert "[red]ICSD[/red]" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "5.640 5.640 5.640" in text


def test_scores_against_a_reference_are_columns_and_none_is_no_match(solution, files):
    scores = (Score("amd", 0.1234), Score("structure-matcher", None))
    scored = replace(solution, ranked=tuple(replace(r, reference_scores=scores) for r in solution.ranked))
    text = shown(scored, files)
    assert "0.1234" in text
    assert "no match" in text
    record = solution_record(scored, files)
    assert record["candidates"][0]["reference_scores"][1] == {
        "metric": "structure-matcher", "value": None, "better": "lower", "unit": "",
    }  # fmt: skip


def test_angles_other_than_90_degrees_are_shown(solution):
    lattice = Lattice.hexagonal(3.25, 5.207)
    zincite = Structure.from_spacegroup(186, lattice, ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.3819]])
    ranked = solution_candidate(zincite)
    text = shown(replace(solution, ranked=(ranked,)), crystal_files([ranked]))
    assert "3.250 3.250 5.207" in text
    assert "90.00 90.00 120.00" in text


def test_whatever_a_plugin_puts_into_the_details_becomes_json():
    details = {
        "array": np.arange(3),
        "number": np.float64(0.5),
        "nan": float("nan"),
        "infinite": np.array([np.inf, 1.0]),
        "path": Path("a/b"),
        "set": {1},
        3: (1, 2),
        "other": complex(1, 2),
    }
    assert json.loads(to_json(details)) == {
        "array": [0, 1, 2],
        "number": 0.5,
        "nan": None,
        "infinite": [None, 1.0],
        "path": "a/b",
        "set": [1],
        "3": [1, 2],
        "other": "(1+2j)",
    }
