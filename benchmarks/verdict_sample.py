"""The sample that the verdict is calibrated on: patterns under five conditions, and which structures each has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from case_runs import Case
from data_sets import Material
from judged_solutions import JudgedSolution, Unjudged
from judgement import make_patterns
from laboratory_patterns import WAVELENGTH, make_laboratory_patterns
from solve_simulated import case_of

#: Structures drawn, and the seed of the draw.
SAMPLE, SAMPLE_SEED = 300, 4

#: Patterns of each condition: of nanocrystals, and of the laboratory.
NANOCRYSTAL_PATTERNS, LABORATORY_PATTERNS = 110, 200


@dataclass(frozen=True)
class Nanocrystals:
    """Patterns by PXRDNet's protocol: crystallite size in Å, and whether with noise, background and zero shift.

    The solver is told the cell content, and the size where there is no noise.
    """

    size: float
    noise: bool

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.size:g} Å, {'noise' if self.noise else 'clean'}"

    @property
    def run_name(self) -> str:
        """Of the folder with its solutions."""
        return f"verdict_val_{self.size:g}_{'noise' if self.noise else 'clean'}"

    def cases(self, materials: Sequence[Material], folder: Path) -> list[Case]:
        """Return what the solver is given, patterns being made in `folder`."""
        patterns = make_patterns(materials, folder, self.size, noise=self.noise)
        told = None if self.noise else self.size
        return [case_of(material, patterns[material.material_id], told) for material in materials]


@dataclass(frozen=True)
class Laboratory:
    """Patterns by `laboratory_patterns`. As of measured ones, the solver is told the formula alone."""

    name: str = "laboratory"
    run_name: str = "verdict_val_laboratory"

    def cases(self, materials: Sequence[Material], folder: Path) -> list[Case]:
        """Return what the solver is given, patterns being made in `folder`."""
        patterns = make_laboratory_patterns(materials, folder, SAMPLE_SEED)
        return [
            replace(case_of(material, patterns[material.material_id], None), wavelength=WAVELENGTH, z=None)
            for material in materials
        ]


Condition = Nanocrystals | Laboratory

LABORATORY = Laboratory()
CONDITIONS: tuple[Condition, ...] = (
    *(Nanocrystals(size, noise) for size in (10.0, 100.0) for noise in (False, True)),
    LABORATORY,
)


@dataclass(frozen=True, eq=False)
class Sample:
    """The patterns of a condition.

    Attributes
    ----------
    materials
        Whose patterns they are.
    judged
        Those of their solutions that have a candidate.
    missing
        How many have none.
    meant
        How many patterns the condition has unless the command line says otherwise.
    """

    materials: Sequence[Material]
    judged: Sequence[JudgedSolution]
    missing: Unjudged
    meant: int

    @property
    def is_small(self) -> bool:
        """Whether fewer were solved than were meant to be."""
        return len(self.materials) - self.missing.waiting < self.meant


def share_of(condition: str, materials: Sequence[Material], numbers: Mapping[str, int]) -> list[Material]:
    """Return the structures of a condition, given the `numbers` of all in their order.

    Each takes the next ones after those of the one before, and goes on with the first after the last: conditions share
    as few structures as they can, so that the calibration is of as many as possible.
    """
    names = list(numbers)
    start = sum(numbers[name] for name in names[: names.index(condition)])
    n = min(numbers[condition], len(materials))
    return [materials[(start + place) % len(materials)] for place in range(n)]
