"""The best of many proposals: those whose simulated, equally broadened patterns are most like the measured one.

The last stage of PXRDNet's structure solution (Guo et al. 2025, "Candidate filtering via PXRD simulation"), and of the
baseline CDVAE-Search. Simulators come from the workbench; scale and background of every pattern are fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from xtal_core.candidate import Candidate
from xtal_core.cells import CellBatch, IntArray
from xtal_core.interfaces import DifferentiableSimulator, Workbench
from xtal_core.lattice_correction import EXPECTED_STRAIN, FittedCells, fit_strains, fit_volumes, residuals
from xtal_core.parsimony import independent_observations
from xtal_core.pattern import FloatArray
from xtal_core.pattern_features import peak_width
from xtal_core.problem import Problem
from xtal_core.symmetrisation import higher_symmetries
from xtal_core.target import Target, make_target, starting_profile

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Å⁻¹; smoothing of the pattern for cells a few per cent off.
COARSE_WIDTH = 0.1

#: Gaussian widths tried, relative to the width of the peaks; crystallite size may explain most of that.
WIDTH_FACTORS = (0.2, 0.4, 0.6, 0.8, 1.0)

#: Å; atoms closer than this are not two atoms.
CLOSEST_ATOMS = 0.7

#: Å³ an atom; outside lie no crystals.
VOLUME_LIMITS = (3.0, 150.0)

#: R² between the patterns of two proposals below which the second adds nothing to the first.
SAME_PATTERN = 1e-3

#: Å; tolerances at which the symmetry that a proposal comes close to is looked for.
TOLERANCES = (0.1, 0.2, 0.35, 0.5, 0.7)

#: At most so many times in turn, at each tolerance.
AVERAGINGS = 4

#: So many proposals for each one that is kept are looked at for symmetry.
SYMMETRISED_SHARE = 3


@dataclass(frozen=True, eq=False)
class Proposal:
    """A crystal as a network proposes it.

    Attributes
    ----------
    lattice : (3, 3) Å
    fractional : (n_atoms, 3)
    numbers : (n_atoms,)
    origin
        What it was made from.
    details
        Anything worth reporting.
    """

    lattice: FloatArray
    fractional: FloatArray
    numbers: IntArray
    origin: str
    details: dict[str, Any] = field(default_factory=dict)


class Filter:
    """Compares proposals with the pattern of a problem.

    With `correct_lattice`, volume and lattice of every proposal are fitted first, strains being expected to be about
    `expected_strain`; without a simulator that can be differentiated, its volume only. With `symmetrise`, the best
    proposals compete with what they are in every higher symmetry that they come close to: networks place atoms about
    right, symmetry averages their errors away.
    """

    def __init__(
        self,
        problem: Problem,
        workbench: Workbench,
        *,
        correct_lattice: bool,
        expected_strain: float = EXPECTED_STRAIN,
        symmetrise: bool = False,
    ) -> None:
        self.problem = problem
        self.simulator = workbench.simulator
        self.correct_lattice = correct_lattice
        self.expected_strain = expected_strain
        self.symmetrise = symmetrise
        self.native = peak_width(problem.pattern)
        self.observations = independent_observations(problem.pattern)
        self.profile = starting_profile(problem.pattern, problem.crystallite_size)

    def best(self, proposals: Sequence[Proposal], keep: int, generator: str) -> list[Candidate]:
        """Return the `keep` best of `proposals` as candidates of `generator`, the best first.

        Cells and atoms that are no crystal are left out; proposals with the pattern of a better one come last. Cells
        are as large as the problem says.
        """
        from pymatgen.core import Structure

        sound = [proposal for proposal in proposals if is_sound(proposal)]
        if not sound:
            return []
        fitted = self.fitted(sound)
        sources = list(range(len(sound)))
        if self.symmetrise:
            for i in self._distinct_first(fitted, sources)[: SYMMETRISED_SHARE * keep]:
                higher = symmetrised(replace(sound[i], lattice=fitted.cells.lattices[i]))
                # The best of them goes on, beside what it was before: it may only look symmetric.
                sources += [-1 - i] * len(higher)
                sound += higher
            if added := sound[len(fitted.cells) :]:
                fitted = FittedCells.join([fitted, self.fitted(added)])
        order = self._distinct_first(fitted, sources)[:keep]
        return [
            Candidate(
                structure=self._as_large_as_asked(
                    Structure(fitted.cells.lattices[i], sound[i].numbers.tolist(), sound[i].fractional)
                ),
                generator=generator,
                origin=sound[i].origin,
                details=sound[i].details | {"filter_residual": float(fitted.residuals[i])},
            )
            for i in order
        ]

    def fitted(self, proposals: Sequence[Proposal]) -> FittedCells:
        """Return the cells of `proposals`, corrected if asked for, and how well they describe the pattern."""
        cells = CellBatch.from_cells((p.lattice, p.fractional, p.numbers) for p in proposals)
        if self.correct_lattice:
            cells = fit_volumes(self.simulator, self.coarse, self.profile, cells)
        started = self.at_best_width(cells)
        if not (self.correct_lattice and isinstance(self.simulator, DifferentiableSimulator)):
            return started
        widths = (0.1 * self.native, 1.2 * self.native)
        targets = [self.coarse, self.sharp]
        return fit_strains(
            self.simulator, targets, cells, started.profiles, widths, self.observations, self.expected_strain
        )

    def _as_large_as_asked(self, structure: Structure) -> Structure:
        """Return the crystal in a cell of Z formula units, which may be several primitive ones."""
        factor = 1 if self.problem.z is None else self.problem.z * self.problem.formula.n_atoms // len(structure)
        repeats = np.ones(3, int)
        # The shortest axes first, so that the cell becomes no needle.
        for prime in (2, 2, 3):
            if factor % prime == 0:
                repeats[np.argmin(repeats * structure.lattice.abc)] *= prime
                factor //= prime
        return structure if repeats.prod() == 1 else structure.make_supercell(repeats.tolist(), in_place=False)

    @cached_property
    def coarse(self) -> Target:
        """The pattern, smoothed."""
        return self._target(COARSE_WIDTH)

    @cached_property
    def sharp(self) -> Target:
        """The pattern as it is."""
        return self._target(0.0)

    def _target(self, smoothing: float) -> Target:
        pattern = self.problem.pattern
        return make_target(pattern, smoothing, self.native, reflections_to=float(pattern.q[-1]))

    def at_best_width(self, cells: CellBatch) -> FittedCells:
        """Return `cells` as they are, each with the Gaussian that describes the pattern best."""
        profiles = [replace(self.profile, gaussian_sigma=factor * self.native) for factor in WIDTH_FACTORS]
        target = self.sharp
        values = np.array(
            [
                residuals(target, self.simulator.simulate(cells, target.measurement, [target.broadened(profile)]))
                for profile in profiles
            ]
        )
        best = values.argmin(axis=0)
        return FittedCells(cells, tuple(profiles[i] for i in best), values.min(axis=0))

    def _distinct_first(self, fitted: FittedCells, sources: Sequence[int]) -> list[int]:
        """Return the order of the proposals by residual.

        Those with the pattern of a better one, or of the same one of `sources`, come after all others.
        """
        target = self.sharp
        broadened = [target.broadened(profile) for profile in fitted.profiles]
        patterns = target.without_background(self.simulator.simulate(fitted.cells, target.measurement, broadened))
        patterns /= np.maximum(np.linalg.norm(patterns, axis=1, keepdims=True), 1e-300)
        distinct: list[int] = []
        repeated: list[int] = []
        taken: set[int] = set()
        for i in np.argsort(fitted.residuals, kind="stable").tolist():
            same = distinct and (1 - (patterns[distinct] @ patterns[i]) ** 2).min() < SAME_PATTERN
            if same or sources[i] in taken:
                repeated.append(i)
            else:
                distinct.append(i)
                taken.add(sources[i])
        return distinct + repeated


def is_sound(proposal: Proposal) -> bool:
    """Return whether a proposal could be a crystal: a finite cell of sensible volume without atoms on each other."""
    if not (np.isfinite(proposal.lattice).all() and np.isfinite(proposal.fractional).all()):
        return False
    volume = abs(float(np.linalg.det(proposal.lattice))) / len(proposal.numbers)
    return VOLUME_LIMITS[0] < volume < VOLUME_LIMITS[1] and shortest_distance(proposal) > CLOSEST_ATOMS


def symmetrised(proposal: Proposal) -> list[Proposal]:
    """Return `proposal` in every higher symmetry that it comes close to, which its details name."""
    found = higher_symmetries(proposal.lattice, proposal.fractional, proposal.numbers, TOLERANCES, AVERAGINGS)
    offered = [
        replace(
            proposal,
            lattice=each.lattice,
            fractional=each.fractional,
            details=proposal.details | {"symmetrised": each.space_group, "tolerance": each.tolerance},
        )
        for each in found
    ]
    return [each for each in offered if is_sound(each)]


def shortest_distance(proposal: Proposal) -> float:
    """Return the shortest distance in Å between two atoms, or between images of one."""
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    difference = proposal.fractional[:, None] - proposal.fractional
    difference -= np.round(difference)
    distances = np.linalg.norm((difference[:, :, None] + images) @ proposal.lattice, axis=-1)
    atoms = np.arange(len(distances))
    distances[atoms, atoms, len(images) // 2] = np.inf
    return float(distances.min())
