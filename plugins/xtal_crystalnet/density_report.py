"""What `xtal density` finds, writes and prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import xtal_core
from xtal_core.cells import CellBatch
from xtal_core.errors import InputError, StructureError
from xtal_core.pattern import FloatArray, Pattern
from xtal_core.problem import Formula, Problem
from xtal_core.progress import Progress
from xtal_core.weights import WeightsFile
from xtal_crystalnet.cell_content import likely_contents
from xtal_crystalnet.cell_search import FoundCell, cells_of_draws, centrings_of
from xtal_crystalnet.crystal_systems import SYSTEMS
from xtal_crystalnet.decoding import DecodedCell, decode
from xtal_crystalnet.density_files import write_chgcar, write_cube
from xtal_crystalnet.density_map import DensityMap, electron_density
from xtal_crystalnet.density_pattern import SmoothedPattern
from xtal_crystalnet.generator import DensityInCell, predicted
from xtal_crystalnet.known_cell import log_metric_distance, parse_cell, primitive_cells
from xtal_crystalnet.map_pictures import Comparison, draw_comparison, draw_slices, draw_surfaces
from xtal_crystalnet.map_similarity import MapScores, score_maps
from xtal_crystalnet.sampling import draw_densities, threads
from xtal_crystalnet.saved_model import INDEPENDENT_ATOMS, load_crystalnet
from xtal_crystalnet.standard_cell import standard_cell

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, eq=False)
class Request:
    """What densities are wanted of; the fields are the options of the command."""

    pattern: Pattern
    formula: Formula
    z: int | None
    cell: str | None
    weights: str
    draws: int
    grid: int
    device: str
    seed: int
    jobs: int
    truth: Structure | None


@dataclass(frozen=True, eq=False)
class FoundDensity:
    """One density.

    Attributes
    ----------
    density
        With its lattice: given, or the one in which it describes the pattern best, or predicted where atoms have no
        cores.
    origin
        Which draw it is.
    residual
        R² of its pattern, smoothed where the cell was given; None for densities without the cores of the atoms, which
        have no X-ray pattern.
    structure
        The atoms found in it; None when it does not hold the formula, or atoms cannot be told apart in it.
    """

    density: DensityMap
    origin: str
    residual: float | None
    structure: Structure | None


@dataclass(frozen=True, eq=False)
class FoundDensities:
    """All densities, the one that describes the pattern best first.

    Attributes
    ----------
    densities
        As described.
    weights
        The file of the network.
    systems, learned
        The crystal systems that the network learned, and whose densities.
    truth
        The density of the reference in the setting that the network learned, and how like it each density is.
    """

    densities: Sequence[FoundDensity]
    weights: WeightsFile
    systems: Sequence[str]
    learned: str
    truth: tuple[FloatArray, MapScores] | None
    formula: str


def find_densities(request: Request, progress: Progress) -> FoundDensities:
    """Return the densities that a network draws for `request`.

    Raises InputError, OptionError, PatternError and StructureError for what cannot be used.
    """
    known = None if request.cell is None else parse_cell(request.cell)
    shape = (request.grid, request.grid, request.grid)
    problem = Problem(request.pattern, request.formula, request.z)
    model = load_crystalnet(request.weights, request.device)
    truth = None
    if request.truth is not None:
        if model.densities != INDEPENDENT_ATOMS:
            problem = f"these weights draw densities of {model.densities}, the reference has those of independent atoms"
            raise InputError(problem, "leave out --reference", model.file.path)
        truth = true_density(request.truth, shape)
    with threads(request.jobs):
        random = np.random.default_rng(request.seed)
        draws = draw_densities(model, request.pattern, request.formula, request.draws, random)
        maps = draws.maps(shape)
    if model.densities != INDEPENDENT_ATOMS:
        found = _without_cores(maps, draws.lattice, known)
    elif known is None:
        searched = cells_of_draws(maps, predicted(draws.lattice), request.pattern, model.systems, random)
        found = _with_cores(problem, maps, searched, progress)
    else:
        smoothed = SmoothedPattern(request.pattern)
        given = (centrings_of(values, known, smoothed) for values in maps)
        found = _with_cores(problem, maps, given, progress)
    scores = None
    if truth is not None:
        scores = truth, score_maps(np.array([each.density.values for each in found]), truth)
    return FoundDensities(found, model.file, model.systems, model.densities, scores, str(request.formula))


def _without_cores(maps: FloatArray, lattice: FloatArray | None, known: FloatArray | None) -> list[FoundDensity]:
    """Return the densities `maps` in the predicted `lattice`, or the centring of a `known` one that is most like it."""
    cell, origin = known, "given cell"
    if known is None:
        cell, origin = predicted(lattice), "predicted cell"
    elif lattice is not None:
        cell = min(primitive_cells(known).values(), key=lambda each: log_metric_distance(lattice, each))
    return [
        FoundDensity(DensityMap(values, cell), f"draw {number}, {origin}", None, None)
        for number, values in enumerate(maps, 1)
    ]


def _with_cores(
    problem: Problem, maps: FloatArray, cells: Iterable[Sequence[FoundCell]], progress: Progress
) -> list[FoundDensity]:
    """Return the densities `maps` in the first of the `cells` of each, with their atoms.

    The one that describes the pattern best comes first.
    """
    found: list[FoundDensity] = []
    for place, own in enumerate(progress.track(cells, "looking for cells and atoms", len(maps))):
        drawn = DensityInCell(maps[place], own[0].lattice, place + 1, f"{own[0].kind} cell")
        contents = likely_contents(drawn.density, problem)[:1]
        atoms = [cell for content in contents for cell in decode(drawn.values, drawn.lattice, content.numbers, 1)]
        structure = _structure(drawn.density, atoms[0]) if atoms else None
        found.append(FoundDensity(drawn.density, drawn.origin, own[0].residual, structure))
    return sorted(found, key=attrgetter("residual"))


def true_density(structure: Structure, shape: tuple[int, int, int]) -> FloatArray:
    """Return the density of `structure` in the setting that the network learned. Raises StructureError for disorder."""
    if not structure.is_ordered:
        raise StructureError("it is disordered: sites are shared or partly occupied", "give an ordered --reference")
    numbers = np.array(structure.atomic_numbers)
    cell = standard_cell(structure.lattice.matrix, structure.frac_coords, numbers)
    return electron_density(CellBatch.from_cells([(cell.lattice, cell.fractional, cell.numbers)]), 0, shape).values


def write_densities(folder: Path, found: FoundDensities, progress: Progress) -> None:
    """Write every density and the pictures into `folder`."""
    for number, each in enumerate(progress.track(found.densities, "writing densities", len(found.densities)), 1):
        write_cube(folder / f"density-{number}.cube", each.density, each.structure)
        if each.structure is not None:
            write_chgcar(folder / f"CHGCAR-{number}", each.density, each.structure)
    first = found.densities[0].density
    draw_slices(first.values, found.formula).savefig(folder / "slices.png")
    draw_surfaces(first.values, found.formula, lattice=first.lattice).savefig(folder / "surfaces.png")
    if found.truth is not None:
        truth, scores = found.truth
        predicted = np.array([each.density.values for each in found.densities])
        draw_comparison([Comparison(found.formula, truth, predicted, scores)]).savefig(folder / "comparison.png")


def density_record(request: Request, found: FoundDensities) -> dict[str, Any]:
    """Return what was found as a record for result.json."""
    scores = None if found.truth is None else found.truth[1]
    return {
        "xtal": xtal_core.__version__,
        "formula": found.formula,
        "pattern": request.pattern.source,
        "cell": request.cell,
        "seed": request.seed,
        "weights": {
            "name": request.weights,
            "sha256": found.weights.sha256,
            "systems": list(found.systems),
            "densities": found.learned,
        },
        "baseline": None if scores is None else {"ssim": scores.baseline_ssim, "psnr": scores.baseline_psnr},
        "densities": [
            {
                "origin": each.origin,
                "residual": each.residual,
                "lattice": each.density.lattice,
                "electrons": each.density.n_electrons,
                "atoms": None if each.structure is None else each.structure.formula,
                "ssim": None if scores is None else float(scores.ssim[place]),
                "psnr": None if scores is None else float(scores.psnr[place]),
            }
            for place, each in enumerate(found.densities)
        ],
    }


def density_table(found: FoundDensities) -> Iterator[str]:
    """Yield the lines of a table of the densities."""
    compared = "" if found.truth is None else f"{'SSIM':>8}{'PSNR':>8}"
    yield f"{'':>3}{'R² of the pattern':>19}{'volume (Å³)':>13}{'electrons':>11}{compared}  atoms"
    for place, each in enumerate(found.densities):
        scores = ""
        if found.truth is not None:
            scores = f"{found.truth[1].ssim[place]:8.3f}{found.truth[1].psnr[place]:8.1f}"
        atoms = "not found" if each.structure is None else each.structure.formula
        density = each.density
        residual = f"{'–':>19}" if each.residual is None else f"{each.residual:19.3f}"
        yield f"{place + 1:>3}{residual}{density.volume:13.1f}{density.n_electrons:11.1f}{scores}  {atoms}"
    if found.truth is not None:
        baseline = found.truth[1]
        yield f"a constant map: SSIM {baseline.baseline_ssim:.3f}, PSNR {baseline.baseline_psnr:.1f} dB"
    learned = (
        "crystals of all systems" if set(found.systems) == set(SYSTEMS) else f"{', '.join(found.systems)} crystals"
    )
    yield f"note: the network learned {learned}, densities of {found.learned}"


def _structure(density: DensityMap, atoms: DecodedCell) -> Structure:
    from pymatgen.core import Lattice, Structure

    assert density.lattice is not None
    return Structure(Lattice(density.lattice), atoms.numbers.tolist(), atoms.fractional)
