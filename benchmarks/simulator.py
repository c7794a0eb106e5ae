"""Throughput of the powder simulator and its agreement with pymatgen, both measured in the same run on one core.

    python benchmarks/simulator.py [--structures 500] [--repeats 7] [--out FOLDER]

Structures are drawn at random from `mp20/val`. Writes docs/benchmarks/simulator.md and simulator.json.
"""

# ruff: noqa: E402 - numerical libraries decide on their threads when they are imported

from __future__ import annotations

import os

# One core for both sides: NumPy would otherwise spend the time of a second one in pymatgen, and be charged for it.
for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import importlib.metadata
import platform
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from pymatgen.analysis.diffraction.core import AbstractDiffractionPatternCalculator
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Structure

from data_sets import data_file, read_materials
from result_pages import RESULTS, markdown_table, write_result
from xtal_core.cells import CellBatch
from xtal_core.errors import XtalError
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Radiation
from xtal_core.provenance import sha256
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator

WAVELENGTH = 1.54184

#: Points of the axis, from 0.1 Å⁻¹ to nearly 4π/λ.
POINTS = 2048
FIRST_Q, LAST_Q = 0.1, 8.1

#: Å⁻¹: the Gaussians with which both sides are compared.
WIDTHS = (0.04, 0.085)

#: pymatgen's tolerances of intensity (percent) and 2θ (degrees), and those with which it drops and moves nothing.
DEFAULT = (1e-3, 1e-5)
EVERYTHING = (0.0, 1e-10)

#: Structures for the comparison of patterns.
COMPARED = 100

#: What is simulated and linearised: a name, and the profile.
PROFILES = {
    "Gaussian of 0.04 Å⁻¹": Profile(gaussian_sigma=0.04),
    "Gaussian of 0.085 Å⁻¹, crystallites of 10 Å": Profile(10.0, 0.085),
    "Gaussian of 0.01 Å⁻¹, Lorentzian of 0.003 Å⁻¹": Profile(None, 0.01, 0.003),
}

#: Profile parameters by which patterns are differentiated.
REFINED = ("gaussian_sigma", "lorentzian_hwhm", "b_iso", "zero_shift")

PAGE = """\
# Powder simulator: speed and agreement with pymatgen

`{command}`

{n} structures drawn at random from `mp20/val`: {atoms:.1f} atoms in the cell on average, {reflections:.0f} reflections
up to 2θ = 90° (one of each Friedel pair). Both sides run in turns on one core in one process: {processor}, Python
{python}, PyTorch {torch}, NumPy {numpy}, pymatgen {pymatgen}. Processor time, the least of {repeats} repeats.

## Speed

pymatgen's `XRDCalculator.get_pattern` gives a list of peaks; `xtal` also broadens them, on {points} points, all
structures in one call.

{speed}
"Structures converted too" begins with pymatgen's `Structure`, the other rows with a `CellBatch`. "pymatgen's peaks" are
those of `powder.intensity_floor=1e-5`.

## Agreement

Largest difference of patterns of {compared} of these structures as a fraction of the maximum, on an absolute scale (no
factor is fitted), pymatgen's peaks being broadened by the same Gaussian.

{agreement}
By default pymatgen leaves out peaks below 1e-5 of the strongest, and gives reflections whose 2θ round to the same
multiple of 1e-5° the angle of the first, which moves equivalent reflections of cells with rounded parameters. With
`powder.intensity_floor=1e-5` `xtal` does the same; without, it keeps every reflection where it is. "Every reflection"
is pymatgen with both tolerances taken away.

## Derivatives

Patterns with their Jacobians (`linearise`) of {n_linear} structures of {atoms_linear:.0f} atoms on average in one call.

{derivatives}"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--structures", type=int, default=500, help="how many (default 500)")
    parser.add_argument("--repeats", type=int, default=7, help="of each measurement (default 7)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        path = data_file("mp20/val.csv.gz")
        structures = read_structures(path, options.structures)
    except XtalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    record = {
        "command": " ".join(["python", "benchmarks/simulator.py", *(sys.argv[1:] if arguments is None else arguments)]),
        "data": {"file": "mp20/val.csv.gz", "sha256": sha256(path), "structures": len(structures)},
        "machine": machine(),
        "speed": measure_speed(structures, options.repeats),
        "agreement": measure_agreement(structures[:COMPARED]),
        "derivatives": measure_derivatives(structures, options.repeats),
    }
    write_result(options.out, "simulator", page(record), record)
    return 0


def read_structures(path: Path, n: int) -> list[Structure]:
    """Return `n` structures of the table at `path`, drawn at random, the same ones every time."""
    materials = read_materials(path)
    chosen = np.random.default_rng(0).choice(len(materials), min(n, len(materials)), replace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [Structure.from_str(materials[i].cif, fmt="cif") for i in chosen]


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    names = [line.partition(":")[2].strip() for line in cpu_lines() if line.startswith("model name")]
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "pymatgen")}
    return {"processor": names[0] if names else platform.processor(), "python": platform.python_version(), **versions}


def cpu_lines() -> list[str]:
    """Return the lines of Linux's description of the processors, none elsewhere."""
    description = Path("/proc/cpuinfo")
    return description.read_text(encoding="utf-8").splitlines() if description.exists() else []


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def axis(n_points: int = POINTS, radiation: Radiation | None = None) -> Measurement:
    """Return an axis on which reflections up to 2θ = 90° stand."""
    last_reflection = 4 * np.pi / WAVELENGTH * np.sin(np.pi / 4)
    q = np.linspace(FIRST_Q, LAST_Q, n_points)
    return Measurement(q, radiation or Radiation.monochromatic(WAVELENGTH), float(last_reflection))


def measure_speed(structures: list[Structure], repeats: int) -> dict[str, Any]:
    """Return milliseconds a structure of pymatgen and of the simulator, measured in turns."""
    cells = CellBatch.from_structures(structures)
    calculator = XRDCalculator("CuKa")
    works: dict[str, Callable[[], object]] = {
        "pymatgen": lambda: [calculator.get_pattern(structure) for structure in structures]
    }
    simulator, floor = (PowderSimulator(PowderOptions(intensity_floor=level)) for level in (0.0, 1e-5))
    for name, profile in PROFILES.items():
        works[name] = lambda profile=profile: simulator.simulate(cells, axis(), [profile])
    first = next(iter(PROFILES))
    works[f"{first}, structures converted too"] = lambda: simulator.simulate(
        CellBatch.from_structures(structures), axis(), [PROFILES[first]]
    )
    works[f"{first}, pymatgen's peaks"] = lambda: floor.simulate(cells, axis(), [PROFILES[first]])
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            taken[name].append(1000 * seconds(work) / len(structures))
    best = {name: min(times) for name, times in taken.items()}
    reflections = [
        len(
            structure.lattice.reciprocal_lattice_crystallographic.get_points_in_sphere(
                [[0, 0, 0]], [0, 0, 0], 2 * np.sin(np.pi / 4) / WAVELENGTH, zip_results=False
            )[0]
        )
        // 2
        for structure in structures
    ]
    return {
        "repeats": repeats,
        "points": POINTS,
        "atoms_mean": float(cells.counts.mean()),
        "reflections_mean": float(np.mean(reflections)),
        "milliseconds": best,
        "ratios": {name: best["pymatgen"] / value for name, value in best.items() if name != "pymatgen"},
    }


def broadened_peaks(structure: Structure, q: FloatArray, sigma: float) -> FloatArray:
    """Return pymatgen's peaks as Gaussians of unit area at `q`, for one squared atom."""
    peaks = XRDCalculator("CuKa").get_pattern(structure, scaled=False)
    centres = 4 * np.pi * np.sin(np.radians(np.asarray(peaks.x) / 2)) / WAVELENGTH
    shapes = np.exp(-((q[:, None] - centres) ** 2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    return shapes @ np.asarray(peaks.y) / len(structure) ** 2


def measure_agreement(structures: list[Structure]) -> list[dict[str, Any]]:
    """Return the largest deviations from pymatgen by width of the Gaussian, tolerances and intensity floor."""
    cells = CellBatch.from_structures(structures)
    results = []
    for sigma in WIDTHS:
        for label, (intensity_tolerance, angle_tolerance), floor in (
            ("every reflection", EVERYTHING, 0.0),
            ("pymatgen's defaults", DEFAULT, 1e-5),
            ("pymatgen's defaults", DEFAULT, 0.0),
        ):
            with (
                patch.object(AbstractDiffractionPatternCalculator, "SCALED_INTENSITY_TOL", intensity_tolerance),
                patch.object(AbstractDiffractionPatternCalculator, "TWO_THETA_TOL", angle_tolerance),
            ):
                expected = np.array([broadened_peaks(structure, axis().q, sigma) for structure in structures])
            simulator = PowderSimulator(PowderOptions(intensity_floor=floor))
            patterns = simulator.simulate(cells, axis(), [Profile(gaussian_sigma=sigma)])
            deviations = np.abs(patterns - expected).max(axis=1) / expected.max(axis=1)
            results.append(
                {
                    "gaussian": sigma,
                    "pymatgen": label,
                    "intensity_floor": floor,
                    "largest": float(deviations.max()),
                    "median": float(np.median(deviations)),
                }
            )
    return results


def measure_derivatives(structures: list[Structure], repeats: int) -> dict[str, Any]:
    """Return milliseconds a structure of Jacobians for calls as refinement makes them."""
    chosen = [structure for structure in structures if 10 <= len(structure) <= 20][:24]
    cells = CellBatch.from_structures(chosen)
    simulator = PowderSimulator(PowderOptions())
    random = np.random.default_rng(0)
    rows = []
    for n_points, sigma, n_directions, radiation in (
        (129, 0.1, 5, "CuKa1"),
        (129, 0.1, 40, "CuKa1"),
        (400, 0.05, 20, "CuKa1"),
        (2000, 0.012, 20, "CuKa"),
    ):
        measurement = axis(n_points, Radiation.from_line(radiation))
        profiles = [Profile(None, sigma * random.uniform(1, 1.05), 0.0, 0.3, 0.01) for _ in chosen]
        directions = [random.normal(size=(6 + 3 * n, n_directions)) for n in cells.counts]
        taken = [
            seconds(lambda: simulator.linearise(cells, measurement, profiles, directions, REFINED))  # noqa: B023
            for _ in range(repeats)
        ]
        rows.append(
            {
                "points": n_points,
                "gaussian": sigma,
                "radiation": radiation,
                "directions": n_directions,
                "milliseconds": 1000 * min(taken) / len(chosen),
            }
        )
    return {"structures": len(chosen), "atoms_mean": float(cells.counts.mean()), "calls": rows}


def page(record: dict[str, Any]) -> str:
    """Return the page that shows `record`."""
    speed, derivatives = record["speed"], record["derivatives"]
    pymatgen = speed["milliseconds"]["pymatgen"]
    return PAGE.format(
        **record["machine"],
        command=record["command"],
        n=record["data"]["structures"],
        atoms=speed["atoms_mean"],
        reflections=speed["reflections_mean"],
        repeats=speed["repeats"],
        points=speed["points"],
        speed=markdown_table(
            ["", "ms a structure", "times pymatgen"],
            [
                ["pymatgen, peaks only", f"{pymatgen:.2f}", "1"],
                *(
                    [f"xtal, {name}", f"{speed['milliseconds'][name]:.3f}", f"{ratio:.0f}"]
                    for name, ratio in speed["ratios"].items()
                ),
            ],
        ),
        compared=min(COMPARED, record["data"]["structures"]),
        agreement=markdown_table(
            ["Gaussian (Å⁻¹)", "pymatgen with", "intensity_floor", "largest", "median"],
            [
                [
                    row["gaussian"],
                    row["pymatgen"],
                    f"{row['intensity_floor']:g}",
                    f"{row['largest']:.1e}",
                    f"{row['median']:.1e}",
                ]
                for row in record["agreement"]
            ],
        ),
        n_linear=derivatives["structures"],
        atoms_linear=derivatives["atoms_mean"],
        derivatives=markdown_table(
            ["points", "Gaussian (Å⁻¹)", "radiation", "directions", "ms a structure"],
            [
                [row["points"], row["gaussian"], row["radiation"], row["directions"], f"{row['milliseconds']:.2f}"]
                for row in derivatives["calls"]
            ],
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
