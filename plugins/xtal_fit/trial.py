"""A structure while it is being refined: a state, the parameters that may change it, and a step along them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray
from xtal_fit.symmetry import VOIGT, FreeDirections, free_directions

#: Steps of Newton's method that keep a cell within its window.
WINDOW_STEPS = 6


@dataclass(frozen=True)
class ProfileParameter:
    """A profile parameter that may be refined: its bounds, and where it is expected with which uncertainty.

    The expectation keeps a parameter that the data do not determine from drifting; None expects nothing.
    """

    name: str
    lowest: float
    highest: float
    expected: float | None = None
    uncertainty: float = 1.0


@dataclass(frozen=True, eq=False)
class Trial:
    """One structure in refinement.

    Attributes
    ----------
    source
        Index of the candidate it came from.
    lattice : (3, 3) Å
    fractional : (n_atoms, 3)
    numbers : (n_atoms,)
    profile
        As the sample has it, without the smoothing of the target.
    directions
        Free structural parameters.
    displaced
        Whether displacements are varied, or the strains only.
    residual
        R² on the target it was last fitted to; infinite before.
    converged
        Whether its last fit ended because nothing was left to gain.
    anchor : (n_atoms, 3)
        Fractional coordinates at which the atoms are expected; None for wherever a fit starts.
    moves
        What was done to it beyond least squares, in words.
    window : (2, 3) Å
        Shortest and longest vectors that the lattice may have; None for no limits.
    unlikelihood
        What moves cost of the candidate's prior.
    """

    source: int
    lattice: FloatArray
    fractional: FloatArray
    numbers: IntArray
    profile: Profile
    directions: FreeDirections
    displaced: bool = True
    residual: float = np.inf
    converged: bool = False
    anchor: FloatArray | None = None
    moves: tuple[str, ...] = ()
    window: FloatArray | None = None
    unlikelihood: float = 0.0

    @property
    def active(self) -> FloatArray:
        """(6 + 3 n_atoms, n_active): the directions that are varied."""
        columns = self.directions.columns
        return columns if self.displaced else columns[:, : self.directions.n_strains]

    def stepped(self, structural: FloatArray, profile: Profile) -> Trial:
        """Return the trial moved along its active directions, with another profile."""
        structural = self._within_window(structural)
        change = self.active @ structural
        return replace(
            self,
            lattice=self.lattice @ (np.eye(3) + strain_tensor(change[:6])),
            fractional=self.fractional + change[6:].reshape(-1, 3),
            profile=profile,
        )

    def _within_window(self, structural: FloatArray) -> FloatArray:
        """Return the step with the smallest change of its strains that keeps the lattice within its window."""
        n_strains = self.directions.n_strains
        if self.window is None or not n_strains:
            return structural
        tensors = [strain_tensor(column) for column in self.directions.columns[:6, :n_strains].T]
        structural = structural.copy()
        # Newton's method: lengths are nearly linear in strains.
        for _ in range(WINDOW_STEPS):
            lattice = self.lattice @ (np.eye(3) + np.tensordot(structural[:n_strains], tensors, 1))
            lengths = np.linalg.norm(lattice, axis=1)
            excess = lengths - np.clip(lengths, *self.window)
            outside = excess != 0
            if not outside.any():
                break
            by_strain = [np.einsum("ij,ij->i", lattice, self.lattice @ tensor) / lengths for tensor in tensors]
            structural[:n_strains] -= np.linalg.pinv(np.array(by_strain).T[outside], rcond=1e-6) @ excess[outside]
        return structural

    def marked(self, move: str) -> Trial:
        """Return the trial, not fitted yet, with `move` among what was done to it."""
        moves = self.moves if move in self.moves else (*self.moves, move)
        return replace(self, moves=moves, residual=np.inf, converged=False)

    def settled(self) -> Trial:
        """Return the trial with its atoms expected where a move has put them, if they were expected anywhere."""
        return self if self.anchor is None else replace(self, anchor=self.fractional)

    def undisplaced(self, fractional: FloatArray) -> Trial:
        """Return the trial with its atoms at `fractional` (n_atoms, 3), nothing to vary but strains and the profile."""
        n_strains = self.directions.n_strains
        strains = FreeDirections(self.directions.columns[:, :n_strains], n_strains)
        return replace(self, fractional=fractional, directions=strains, residual=np.inf)

    def held(self) -> Trial:
        """Return the trial with nothing to vary but its profile."""
        return replace(self, directions=FreeDirections(self.directions.columns[:, :0], 0))

    def released(self) -> Trial:
        """Return the trial with all symmetry given up."""
        return replace(
            self,
            directions=free_directions(self.lattice, self.fractional, self.numbers, keep_symmetry=False),
            displaced=True,
            residual=np.inf,
        )


def strain_tensor(components: FloatArray) -> FloatArray:
    """Return the (3, 3) symmetric tensor of six Voigt `components`, whose shears are doubled."""
    tensor = np.zeros((3, 3))
    for value, (i, j) in zip(components, VOIGT, strict=True):
        tensor[i, j] += value if i == j else value / 2
        if i != j:
            tensor[j, i] += value / 2
    return tensor
