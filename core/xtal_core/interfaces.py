"""The five things a plugin can be besides a command, and what they are handed to work with.

Every method is batch first: many structures in, arrays or lists out. Implementations subclass exactly one of
the abstract classes and inherit no behaviour.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from xtal_core.candidate import Candidate
from xtal_core.cells import CellBatch, IntArray
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray
from xtal_core.problem import Problem
from xtal_core.progress import Progress, SilentProgress
from xtal_core.training_set import TrainingSet

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Version of everything in this module. A plugin states the one it was written for.
INTERFACE_VERSION = 1

#: The numbers of a `Profile` by which `DifferentiableSimulator.linearise` can differentiate.
PROFILE_PARAMETERS = (
    "crystallite_size",
    "gaussian_sigma",
    "lorentzian_hwhm",
    "b_iso",
    "zero_shift",
    "strain_sigma",
    "strain_hwhm",
    "instrument_sigma",
    "instrument_hwhm",
    "sample_displacement",
    "march_coefficient",
)


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
    profile_jacobian : (n_cells, n_points, n_parameters)
        With respect to the profile parameters asked for, in that order.
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
        parameters: Sequence[str],
    ) -> Linearisation:
        """Return patterns and derivatives along directions in structure space and by profile parameters.

        `directions[i]` is (6 + 3 n_atoms, n_directions): the first six rows are the components ε11, ε22, ε33,
        2ε23, 2ε13, 2ε12 of a symmetric strain that maps each lattice vector a to a (1 + ε), the others are changes of
        the fractional coordinates, atom by atom. `parameters` are names from `PROFILE_PARAMETERS`; what is not asked
        for costs nothing. What a profile lacks (the size of an infinite crystallite, the March coefficient without an
        axis) has the derivative 0. Raises InputError for other names.
        """


@runtime_checkable
class UsesFiles(Protocol):
    """What a plugin's object may offer besides its interface: the files its results depend on.

    Weights, structure libraries and the like; their SHA-256 goes into the provenance of every result.
    """

    def files(self) -> Sequence[Path]:
        """Return the files, known once the object has done its work."""
        ...


@dataclass(frozen=True, eq=False)
class Reflections:
    """The reflections of one cell, one of each Friedel pair.

    Attributes
    ----------
    hkl : (n, 3)
        In the setting of the cell.
    q : (n,) Å⁻¹
        2π/d.
    squared_structure_factor : (n,)
        |F|² of the cell, electrons², of atoms at rest.
    position : (n,) Å⁻¹
        Q at which the reference wavelength shows it, shifts of the profile included.
    intensity : (n,)
        Area, in Q, of what both of the pair contribute to the pattern with all wavelengths, in the units of `simulate`.
    """

    hkl: IntArray
    q: FloatArray
    squared_structure_factor: FloatArray
    position: FloatArray
    intensity: FloatArray


@runtime_checkable
class ListsReflections(Protocol):
    """What a simulator may offer besides its interface: the single reflections that its patterns consist of."""

    def list_reflections(self, cell: CellBatch, measurement: Measurement, profile: Profile) -> Reflections:
        """Return the reflections that contribute to the pattern of `cell`, which holds one cell, by increasing Q."""
        ...

    def weigh_reflections(
        self, cell: CellBatch, measurement: Measurement, profile: Profile, weights: FloatArray
    ) -> FloatArray:
        """Return (n_weights, n): Σᵢ weights(i) y(i) for what each reflection, as listed, contributes to the pattern.

        `weights` is (n_weights, n_points). The sum over all reflections is that of the pattern.
        """
        ...


@runtime_checkable
class CalculatesSticks(Protocol):
    """What a simulator may offer besides its interface: the sticks that training sets hold."""

    def stick_patterns(self, structures: Sequence[Structure]) -> FloatArray:
        """Return the (n_structures, `N_BINS`) reflections of ordered structures in the bins of a `TrainingSet`.

        X-rays of `WAVELENGTH` and 2θ up to `LARGEST_TWO_THETA`, both of `xtal_core.training_set`, intensities on any
        scale, the larger of two reflections in a bin. Structures come in conventional cells with exact symmetry, so
        that equivalent reflections share a bin. Raises StructureError for one without a reflection.
        """
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
    symmetric
        Whether swapping two items changes nothing but the last digits, so that each pair needs computing once.
    same_below
        Two items this close are the same structure: `value <= same_below` (`>=` where higher is better).
    """

    name: ClassVar[str]
    unit: ClassVar[str] = ""
    compares: ClassVar[Literal["structures", "patterns"]] = "structures"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    symmetric: ClassVar[bool] = False
    same_below: float

    @abstractmethod
    def featurise(self, items: Sequence[Any]) -> list[Any]:
        """Return what `compare` needs of each item, computed once an item.

        Items are pymatgen structures, or patterns (`Pattern`) for a metric that compares these, and what
        `ReadsItems.read_item` returned. Raises StructureError, naming the item, for one the metric cannot take.
        """

    @abstractmethod
    def compare(self, first: Sequence[Any], second: Sequence[Any]) -> FloatArray:
        """Return the (n_first, n_second) values between features; NaN where there is no match."""


@runtime_checkable
class ComparesWithin(Protocol):
    """What a metric of distances may offer besides its interface: not to finish what is far apart.

    For clusters and nearest neighbours, which need no more than the pairs up to a limit.
    """

    def compare_within(self, first: Sequence[Any], second: Sequence[Any], limit: float) -> FloatArray:
        """Return the (n_first, n_second) values as `compare` does, infinity where one is proven to be above `limit`."""
        ...


@runtime_checkable
class ReadsItems(Protocol):
    """What a metric may offer besides its interface: items of its own kind, read from files (a measured G(r), say).

    `item_suffixes` are the endings of such files, lower case with the dot.
    """

    item_suffixes: tuple[str, ...]

    def read_item(self, path: Path) -> Any:
        """Return the item in the file. Raises InputError for one that cannot be read."""
        ...


@runtime_checkable
class ExplainsPairs(Protocol):
    """What a metric may offer besides its interface: what the value of a pair depended on (fitted morphs, say)."""

    def explain(self, first: Any, second: Any) -> Mapping[str, float]:
        """Return named quantities, or yes and no, behind `compare([first], [second])`; units belong into the names."""
        ...


class TrainableModel(ABC):
    """A model that `xtal train` trains with PyTorch Lightning, whose types core does not know.

    The class itself is the factory of its record: presets are asked for before there are options.
    """

    @classmethod
    @abstractmethod
    def presets(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return named settings of the options: {preset: {option: value}}; options not named keep their defaults."""

    @abstractmethod
    def module(self, data: TrainingSet) -> Any:
        """Return an untrained LightningModule with its losses, optimiser and schedule.

        It logs what should be seen, `train_loss` and `val_loss` among it. Whatever normalisation it needs it takes from
        `data`, the training set, and keeps in its buffers.
        """

    @abstractmethod
    def batches(self, data: TrainingSet, *, training: bool, batch_size: int, seed: int, workers: int) -> Any:
        """Return a DataLoader of `data`, shuffled from `seed` when `training`, made by `workers` processes."""

    @abstractmethod
    def tensors(self, module: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the tensors of `module` that make its weights file, and the texts of its metadata (sizes as JSON).

        The tensors are the module's own, not copies: training that starts from a weights file writes into them.
        """
