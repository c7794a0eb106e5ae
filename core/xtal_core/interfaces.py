"""The four things a plugin can be, and what they are handed to work with.

Every method is batch first: many structures in, arrays or lists out. Implementations subclass exactly one of
the abstract classes and inherit no behaviour.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from xtal_core.candidate import Candidate
from xtal_core.cells import CellBatch
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray
from xtal_core.problem import Problem
from xtal_core.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Version of everything in this module. A plugin states the one it was written for.
INTERFACE_VERSION = 1

#: Order of the profile derivatives that `DifferentiableSimulator.linearise` returns.
PROFILE_PARAMETERS = ("crystallite_size", "gaussian_sigma", "lorentzian_hwhm", "b_iso", "zero_shift")


class Simulator(ABC):
    """Calculates powder patterns from structures."""

    @abstractmethod
    def simulate(self, cells: CellBatch, measurement: Measurement, profiles: Sequence[Profile]) -> FloatArray:
        """Return the (n_cells, n_points) patterns on an arbitrary common scale, without background.

        `profiles` holds one profile a cell, or a single one for all.
        """

    @abstractmethod
    def scan_volume(
        self, cells: CellBatch, measurement: Measurement, profile: Profile, factors: FloatArray
    ) -> FloatArray:
        """Return the (n_cells, n_factors, n_points) patterns with every cell volume multiplied by each of `factors`.

        `factors` is (n_factors,). For screening: fractional coordinates stay, which makes a scan cost little more than
        one pattern, and implementations may save further at an error of up to 2 % of the strongest intensity.
        """


@dataclass(frozen=True, eq=False)
class Linearisation:
    """Patterns and their exact first derivatives.

    Attributes
    ----------
    intensity : (n_cells, n_points)
    structure_jacobian : (n_cells, n_points, n_directions)
        Along the directions given; columns beyond those of a cell are 0.
    profile_jacobian : (n_cells, n_points, 5)
        With respect to `PROFILE_PARAMETERS`.
    """

    intensity: FloatArray
    structure_jacobian: FloatArray
    profile_jacobian: FloatArray


class DifferentiableSimulator(Simulator):
    """A simulator whose patterns can be differentiated, so that refiners need not know which one it is."""

    @abstractmethod
    def linearise(
        self,
        cells: CellBatch,
        measurement: Measurement,
        profiles: Sequence[Profile],
        directions: Sequence[FloatArray],
    ) -> Linearisation:
        """Return patterns and derivatives along directions in structure space.

        `directions[i]` is (6 + 3 n_atoms, n_directions): the first six rows are the components ε11, ε22, ε33,
        2ε23, 2ε13, 2ε12 of a symmetric strain that maps each lattice vector a to a (1 + ε), the others are changes of
        the fractional coordinates, atom by atom.
        """


@runtime_checkable
class UsesFiles(Protocol):
    """What a plugin's object may offer besides its interface: the files its results depend on.

    Weights, structure libraries and the like; their SHA-256 goes into the provenance of every result.
    """

    def files(self) -> Sequence[Path]:
        """Return the files, known once the object has done its work."""
        ...


def _keep_nothing(candidates: Sequence[Candidate]) -> None:
    """Ignore `candidates`: nobody waits for them."""


@dataclass(frozen=True, eq=False)
class Workbench:
    """What generators and refiners may use besides the problem.

    Attributes
    ----------
    simulator
        The simulator chosen for this run.
    seed
        Where randomness starts; the same seed gives the same answer.
    progress
        Where to report progress.
    jobs
        How many processor cores may be used.
    finished
        Generators and refiners may call it with candidates that are finished before the rest: these are what is ranked
        and reported when the user interrupts. What the method returns in the end replaces them.
    """

    simulator: Simulator
    seed: int = 0
    progress: Progress = field(default_factory=SilentProgress)
    jobs: int = 1
    finished: Callable[[Sequence[Candidate]], None] = _keep_nothing

    def random(self, *stream: int) -> np.random.Generator:
        """Return an independent random generator for `stream`, reproducible from the seed."""
        return np.random.default_rng([self.seed, *stream])


class Generator(ABC):
    """Proposes structures for a problem."""

    @abstractmethod
    def generate(self, problem: Problem, workbench: Workbench) -> list[Candidate]:
        """Return candidates, the most promising first. None found is an empty list, not an error."""


class Refiner(ABC):
    """Improves candidates against the pattern."""

    @abstractmethod
    def refine(self, problem: Problem, candidates: Sequence[Candidate], workbench: Workbench) -> list[Candidate]:
        """Return the refined candidates, each with its `fit`; their number and order may change."""


class SimilarityMetric(ABC):
    """Says how alike two structures, or two patterns, are.

    Attributes
    ----------
    name, unit
        For tables.
    compares
        "structures" or "patterns". Only a metric of patterns may rank an unsolved sample.
    better
        Which way is more alike.
    same_below
        Two items this close are the same structure: `value <= same_below` (`>=` where higher is better).
    """

    name: ClassVar[str]
    unit: ClassVar[str] = ""
    compares: ClassVar[Literal["structures", "patterns"]] = "structures"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    same_below: float

    @abstractmethod
    def featurise(self, items: Sequence[Structure]) -> list[Any]:
        """Return what `compare` needs of each item, computed once an item.

        Raises StructureError, naming the item, for one the metric cannot take.
        """

    @abstractmethod
    def compare(self, first: Sequence[Any], second: Sequence[Any]) -> FloatArray:
        """Return the (n_first, n_second) values between features; NaN where there is no match."""
