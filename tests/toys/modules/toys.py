"""A distribution of toy plugins: small enough to predict, real enough to run the whole program with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Lattice, Structure

from xtal_core.agreement import fit_scale_and_background, measurement_for, resample
from xtal_core.candidate import Candidate
from xtal_core.cells import CellBatch
from xtal_core.errors import StructureError
from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.interfaces import Generator, Refiner, SimilarityMetric, Simulator
from xtal_core.measurement import Profile
from xtal_core.options import option
from xtal_core.pattern import Pattern, Radiation
from xtal_core.problem import Formula, Problem


def rocksalt(a: float, cation: str = "Na", anion: str = "Cl") -> Structure:
    face_centred = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return Structure(Lattice.cubic(a), [cation] * 4 + [anion] * 4, [*face_centred, *(face_centred + 0.5) % 1])


def caesium_chloride_type(a: float, cation: str = "Na", anion: str = "Cl") -> Structure:
    return Structure(Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


class ToySimulator(Simulator):
    """Point atoms of Z electrons: |F|² /Q² a reflection, Gaussian peaks."""

    def simulate(self, cells, measurement, profiles):
        profiles = list(profiles) if len(profiles) == len(cells) else [profiles[0]] * len(cells)
        patterns = [self._pattern(cells, i, measurement, p, 1.0) for i, p in enumerate(profiles[: len(cells)])]
        return np.array(patterns).reshape(-1, len(measurement.q))

    def scan_volume(self, cells, measurement, profile, factors):
        return np.array(
            [[self._pattern(cells, i, measurement, profile, f) for f in factors] for i in range(len(cells))]
        )

    def _pattern(self, cells, index, measurement, profile, factor):
        lattice = cells.lattices[index] * factor ** (1 / 3)
        width = np.hypot(profile.gaussian_sigma, 1e-4)
        q_max = measurement.q[-1] + 4 * width
        limits = np.ceil(q_max * np.linalg.norm(lattice, axis=1) / (2 * np.pi)).astype(int)
        hkl = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in limits], indexing="ij"), -1).reshape(-1, 3)
        q = 2 * np.pi * np.linalg.norm(hkl @ np.linalg.inv(lattice).T, axis=1)
        inside = (q > 1e-6) & (q < q_max)
        rows = cells.atoms(index)
        phases = np.exp(2j * np.pi * hkl[inside] @ cells.fractional[rows].T)
        strength = np.abs(phases @ (cells.occupancies[rows] * cells.numbers[rows])) ** 2 / q[inside] ** 2
        strength = strength / np.linalg.det(lattice) ** 2
        positions, place = np.unique(q[inside].round(9), return_inverse=True)
        peaks = np.exp(-((measurement.q[:, None] - positions) ** 2) / (2 * width**2)) / width
        return peaks @ np.bincount(place, strength)


@dataclass(frozen=True)
class ToyGeneratorOptions:
    """Options of the toy generator."""

    edge: float = option(5.64, "cell edge of the rock-salt candidate", unit="Å", bounds=(1.0, 20.0))
    fail: bool = option(False, "raise an error instead")
    empty: bool = option(False, "propose nothing")


class ToyGenerator(Generator):
    """Proposes rock salt twice (conventional and primitive cell) and the CsCl type."""

    def __init__(self, options: ToyGeneratorOptions):
        self.options = options

    def generate(self, problem, workbench):
        if self.options.fail:
            raise RuntimeError("the toy is broken")
        if self.options.empty:
            return []
        (cation, _), (anion, _) = problem.formula.amounts
        edge = self.options.edge
        salt = rocksalt(edge, cation, anion)
        return [
            Candidate(caesium_chloride_type(edge / 1.6, cation, anion), "toy", "CsCl type"),
            Candidate(salt, "toy", "rock salt"),
            Candidate(salt.get_primitive_structure(), "toy", "rock salt, primitive"),
        ]


@dataclass(frozen=True)
class ToyRefinerOptions:
    """Options of the toy refiner."""

    interrupt_after: int = option(0, "candidates refined before Ctrl-C is simulated; 0 for never", bounds=(0, None))


class ToyRefiner(Refiner):
    """Scales the volume of each candidate to the best of a few factors."""

    def __init__(self, options: ToyRefinerOptions):
        self.options = options

    def refine(self, problem, candidates, workbench):
        refined = []
        for count, candidate in enumerate(candidates):
            if self.options.interrupt_after and count == self.options.interrupt_after:
                raise KeyboardInterrupt
            refined.append(self._refine(problem, candidate, workbench))
            workbench.finished(refined[-1:])
        return refined

    def _refine(self, problem, candidate, workbench):
        factors = np.linspace(0.94, 1.06, 13)
        measurement, profile = measurement_for(problem.pattern), Profile(gaussian_sigma=0.02)
        cells = CellBatch.from_structures([candidate.structure])
        scan = workbench.simulator.scan_volume(cells, measurement, profile, factors)[0]
        fits = fit_scale_and_background(problem.pattern, resample(scan, measurement, problem.pattern.q))
        best = int(np.argmin(fits.residuals))
        structure = candidate.structure.copy()
        structure.scale_lattice(structure.volume * factors[best])
        return candidate.with_fit(structure, fits.fit(best, profile, 1))


class ToyMetric(SimilarityMetric):
    """Difference of the shortest interatomic distance; refuses single atoms."""

    name = "toy-metric"
    unit = "Å"
    compares = "structures"
    better = "lower"
    same_below = 0.005

    def featurise(self, items):
        for item in items:
            if len(item) < 2:
                raise StructureError(f"{item.composition.formula} has a single atom", "give at least two")
        return [np.sort(item.distance_matrix[0])[1] for item in items]

    def compare(self, first, second):
        return np.abs(np.subtract.outer(first, second))


@dataclass(frozen=True)
class ToyModelOptions:
    """Options of the toy model."""

    width: int = option(4, "hidden numbers", bounds=(1, None))
    rate: float = option(0.01, "learning rate", bounds=(0.0, None))
    pause: float = option(0.0, "seconds that a step takes longer", bounds=(0.0, None))
    diverges_at: int = option(0, "step with an infinite loss; 0 for none", bounds=(0, None))


def pattern_of(structure: Structure, sigma: float = 0.02, points: int = 700) -> Pattern:
    """Return a pattern without noise: toy intensities of largest value 1000 and a sloping background."""
    radiation = Radiation.from_line("CuKa1")
    q = radiation.q_from_two_theta(np.linspace(15, 80, points))
    blank = Pattern(q, np.ones(points), radiation)
    measurement = measurement_for(blank, 4 * points)
    cells = CellBatch.from_structures([structure])
    peaks = ToySimulator().simulate(cells, measurement, [Profile(gaussian_sigma=sigma)])
    intensity = resample(peaks, measurement, q)[0]
    return replace(blank, intensity=1000 * intensity / intensity.max() + 300 - 30 * q)


def salt_problem(structure: Structure | None = None) -> Problem:
    """Return the problem of rock salt, or of `structure`, with the formula NaCl."""
    return Problem(pattern_of(structure or rocksalt(5.64)), Formula.parse("NaCl")[0])


def _records(*entries: Sequence[object]) -> list[PluginRecord]:
    return [PluginRecord(n, s, f"toys:{c}", interface=1, options=o) for n, s, c, o in entries]  # type: ignore[misc]


@hookimpl
def xtal_simulators():
    return _records(("toy-simulator", "point atoms", "ToySimulator", None))


@hookimpl
def xtal_generators():
    return _records(
        ("toy", "two structure types of AB", "ToyGenerator", ToyGeneratorOptions),
        ("toy-twin", "the same again", "ToyGenerator", ToyGeneratorOptions),
    )


@hookimpl
def xtal_refiners():
    return _records(("toy-refiner", "scales the volume", "ToyRefiner", ToyRefinerOptions))


@hookimpl
def xtal_metrics():
    return _records(("toy-metric", "shortest distances", "ToyMetric", None))


@hookimpl
def xtal_models():
    return [PluginRecord("toy-model", "one number", "toy_model:ToyModel", interface=1, options=ToyModelOptions)]
