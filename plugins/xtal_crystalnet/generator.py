"""CrystalNet's structure solution: densities drawn for the pattern, atoms found in them, the best kept.

Guo et al., "Towards end-to-end structure solutions from information-compromised diffraction data via generative deep
learning" (2023). The lattice, which the paper leaves open, is predicted or given; atoms are decoded from the density.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xtal_core.candidate import Candidate
from xtal_core.errors import InputError, OptionError
from xtal_core.filtering import Filter, Proposal
from xtal_core.interfaces import Generator, Workbench
from xtal_core.pattern import FloatArray
from xtal_core.problem import Problem
from xtal_crystalnet.cell_content import likely_contents
from xtal_crystalnet.cell_search import FoundCell, cells_of_draws, centrings_of
from xtal_crystalnet.decoding import decode
from xtal_crystalnet.density_map import DensityMap
from xtal_crystalnet.density_pattern import SmoothedPattern
from xtal_crystalnet.known_cell import log_metric_distance, parse_cell
from xtal_crystalnet.pattern_input import unknown_elements
from xtal_crystalnet.plugin import CrystalNetOptions
from xtal_crystalnet.sampling import draw_densities, threads
from xtal_crystalnet.saved_model import INDEPENDENT_ATOMS, load_crystalnet

_STREAM = 2023

#: A cell that is strained by less is a predicted one that was corrected.
CORRECTION = 0.05


@dataclass(frozen=True, eq=False)
class DensityInCell:
    """A density in a primitive cell.

    Attributes
    ----------
    values : (n1, n2, n3) e⁻/Å³
    lattice : (3, 3) Å
    draw
        Which draw it is, from 1.
    cell
        How its cell was found.
    """

    values: FloatArray
    lattice: FloatArray
    draw: int
    cell: str

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        return f"draw {self.draw}, {self.cell}"

    @property
    def density(self) -> DensityMap:
        """The same as a map."""
        return DensityMap(self.values, self.lattice)


class CrystalNetGenerator(Generator):
    """Proposes crystals of the atoms in densities that a pattern makes likely."""

    def __init__(self, options: CrystalNetOptions) -> None:
        self.options = options
        self._files: list[Path] = []

    def files(self) -> list[Path]:
        """Return the weights that were used; see `UsesFiles`."""
        return self._files

    def generate(self, problem: Problem, workbench: Workbench) -> list[Candidate]:
        """Return the crystals whose patterns are most similar; none for elements that the network does not know.

        Raises InputError for weights that cannot be used, PatternError for a pattern of which the network would see too
        little, and OptionError when the cell is neither given nor predicted.
        """
        options = self.options
        known = parse_cell(options.cell) if options.cell else None
        model = load_crystalnet(options.weights, options.device)
        if model.densities != INDEPENDENT_ATOMS:
            found = f"these weights draw densities of {model.densities}, in which atoms cannot be told apart"
            raise InputError(found, "give weights that learned those of independent atoms", model.file.path)
        self._files = [model.file.path]
        if unknown_elements(problem.formula, model.network.config.n_species):
            return []
        random = workbench.random(_STREAM)
        with threads(workbench.jobs):
            draws = draw_densities(model, problem.pattern, problem.formula, options.draws, random)
            maps = draws.maps((options.grid, options.grid, options.grid))
        cells: list[DensityInCell] = []
        if known is not None:
            smoothed = SmoothedPattern(problem.pattern)
            for number, values in enumerate(maps, 1):
                found = centrings_of(values, known, smoothed)
                cells += in_given_cell(values, number, draws.lattice, found, options.cells)
        else:
            lattice = predicted(draws.lattice)
            searched = cells_of_draws(maps, lattice, problem.pattern, model.systems, random)
            for place, found in enumerate(workbench.progress.track(searched, "looking for cells", len(maps))):
                cells += in_found_cells(maps[place], place + 1, lattice, found[: options.cells])
        tried = [(drawn, content) for drawn in cells for content in likely_contents(drawn.density, problem)]
        proposals: list[Proposal] = []
        for drawn, content in workbench.progress.track(tried, "finding atoms", len(tried)):
            for atoms in decode(drawn.values, drawn.lattice, content.numbers, options.alternatives):
                details = {"z": content.z, "density_residual": atoms.residual}
                origin = f"{drawn.origin}, Z = {content.z}"
                proposals.append(Proposal(drawn.lattice, atoms.fractional, atoms.numbers, origin, details))
        screen = Filter(problem, workbench, correct_lattice=options.correct_lattice, symmetrise=options.symmetrise)
        return screen.best(proposals, options.keep, "crystalnet")


def in_given_cell(
    values: FloatArray, draw: int, lattice: FloatArray | None, centrings: Sequence[FoundCell], n: int
) -> Iterator[DensityInCell]:
    """Yield a drawn density, `values` (n1, n2, n3) e⁻/Å³, in the first `n` of the `centrings` that a cell may have.

    And in the one that is most like the predicted `lattice` (3, 3) Å, if there is such; at least in one.
    """
    chosen = list(centrings[:n])
    if lattice is not None:
        nearest = min(centrings, key=lambda cell: log_metric_distance(lattice, cell.lattice))
        chosen += [] if nearest in chosen else [nearest]
    for cell in chosen or centrings[:1]:
        yield DensityInCell(values, cell.lattice, draw, f"{cell.kind} cell")


def in_found_cells(
    values: FloatArray, draw: int, lattice: FloatArray, found: Sequence[FoundCell]
) -> Iterator[DensityInCell]:
    """Yield a drawn density, `values` (n1, n2, n3) e⁻/Å³, in cells that were `found`, and in the predicted one.

    The predicted `lattice` (3, 3) Å is left out where one that was found is but a correction of it.
    """
    for cell in found:
        yield DensityInCell(values, cell.lattice, draw, f"{cell.kind} cell")
    if all(log_metric_distance(lattice, cell.lattice) > CORRECTION for cell in found):
        yield DensityInCell(values, lattice, draw, "predicted cell")


def predicted(lattice: FloatArray | None) -> FloatArray:
    """Return the `lattice` (3, 3) Å that a network predicts. Raises OptionError when it does not: a cell is needed."""
    if lattice is None:
        raise OptionError("these weights predict no lattice", "give the cell with --cell 'a b c α β γ'")
    return lattice
