"""How like the truth the densities are that CrystalNet draws: SSIM and PSNR by crystal system, and with less formula.

    python benchmarks/crystalnet.py [--set FILE] [--weights NAME] [--limit N] [--ablations N]

The crystals are those that crystalnet_sets.py holds out, of the systems that the network learned. Each gets five draws
for its whole formula; of the systems in the paper's Table 2 the first N (default: 100) three draws with each of its
ablations. Scores are the best over draws and over the 24 rotations of the cube, as in the paper. Lattices are those
predicted, and those found with the first draw and a pattern of crystallites of 100 Å. Writes
docs/benchmarks/crystalnet.md, with the name of the weights appended unless they are the usual ones, and a picture; what
is finished is kept.
"""

# ruff: noqa: E402 - numerical libraries decide on their threads when they are imported

from __future__ import annotations

import os

for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from crystalnet_page import PUBLISHED_ABLATIONS, result_page
from data_sets import ROOT
from ideal_patterns import ideal_problem
from kept_results import Row, keep_results
from refinement_run import add_run_options, describe_making, open_run, publish
from result_pages import RESULTS
from solution_run import run_benchmark
from xtal_core.cells import CellBatch
from xtal_core.pattern import FloatArray
from xtal_core.provenance import sha256
from xtal_core.training_set import TrainingSet
from xtal_crystalnet.batches import cell_of
from xtal_crystalnet.cell_search import cells_of_draws
from xtal_crystalnet.crystal_systems import which_system
from xtal_crystalnet.density_map import SHAPE, electron_density
from xtal_crystalnet.known_cell import log_metric_distance
from xtal_crystalnet.learning import without_ratios
from xtal_crystalnet.map_pictures import Comparison, draw_comparison
from xtal_crystalnet.map_similarity import score_maps
from xtal_crystalnet.patterns import Variety
from xtal_crystalnet.sampling import Draws, drawn, threads
from xtal_crystalnet.saved_model import SavedModel, load_crystalnet
from xtal_crystalnet.standard_cell import StandardCell

USUAL_WEIGHTS = "crystalnet-fast"

#: Draws for the whole formula, and for the ablations and what they are compared with.
DRAWS, ABLATION_DRAWS = 5, 3

#: Å.
CRYSTALLITES = 100.0

#: The ablations of Table 2, by what `without_ratios` calls them.
ABLATIONS = {"no ratios": 0, "drop element": 1, "no formula": 2}

#: Crystals of each system in the picture, and its colours: it is kept with the pages, and should be small.
SHOWN, COLOURS = 1, 256


@dataclass(frozen=True)
class Task:
    """A crystal of a set, and what of its formula is told: all for None, else the kind of `without_ratios`."""

    file: Path
    index: int
    weights: str
    ablation: int | None
    seed: int


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--set", type=Path, default=ROOT / ".bench" / "crystalnet_sets" / "test.safetensors", metavar="FILE")
    add("--weights", default=USUAL_WEIGHTS, metavar="NAME", help=f"a name, or a file's path (default: {USUAL_WEIGHTS})")
    add("--ablations", type=int, default=100, metavar="N", help="crystals of a system for ablations (default: 100)")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    data = TrainingSet.load(chosen.set)
    model = load_crystalnet(chosen.weights, "cpu")
    weights, page = model.file, page_name(chosen.weights)
    run = open_run(page, {"set": sha256(chosen.set), "weights": weights.sha256}, chosen)
    tasks: dict[str, Task] = {}
    by_system: dict[str, list[int]] = {system: [] for system in model.systems}
    for index, number in enumerate(data.space_group):
        if (system := which_system(int(number))) in by_system:
            by_system[system].append(index)
    for system, indices in by_system.items():
        for place, index in enumerate(indices[: chosen.limit]):
            tasks[f"{index}-full"] = Task(chosen.set, index, chosen.weights, None, chosen.seed)
            if system in PUBLISHED_ABLATIONS and place < chosen.ablations:
                for name, kind in ABLATIONS.items():
                    tasks[f"{index}-{name.replace(' ', '-')}"] = Task(
                        chosen.set, index, chosen.weights, kind, chosen.seed
                    )
    rows = keep_results(score, tasks, run, chosen.workers)
    record = {
        "weights": {"name": Path(chosen.weights).stem, "sha256": weights.sha256},
        "picture": f"{page}-densities.png",
        "set": {"file": chosen.set.name, "sha256": sha256(chosen.set)},
        "making": describe_making(chosen, arguments),
        "seconds": seconds_for_one(next(iter(tasks.values()))),
        "rows": rows,
    }
    folder = chosen.out or (RESULTS if chosen.limit is None else run.path)
    first = [index for indices in by_system.values() for index in indices[:SHOWN]]
    picture = folder / record["picture"]
    draw_comparison([compared(tasks[f"{index}-full"]) for index in first]).savefig(picture, dpi=90)
    with Image.open(picture) as image:
        image.convert("RGB").quantize(COLOURS).save(picture, optimize=True)
    publish(page, result_page(record), record, chosen, run)


def page_name(weights: str) -> str:
    """Return the name of the page about the weights called so."""
    return "crystalnet" if weights == USUAL_WEIGHTS else f"crystalnet_{Path(weights).stem}"


def score(task: Task) -> Row:
    """Return how like the truth the densities drawn for a crystal are, and the lattice predicted with them."""
    data, cell = _data(task.file), cell_of(_data(task.file), task.index)
    draws = draws_for(task, cell)
    maps = draws.maps(SHAPE)
    scores = score_maps(maps, truth_of(cell))
    row: Row = {
        "name": data.names[task.index],
        "formula": data.structure(task.index).composition.reduced_formula,
        "system": which_system(int(data.space_group[task.index])),
        "n_atoms": int(data.n_atoms[task.index]),
        "told": "all" if task.ablation is None else next(k for k, v in ABLATIONS.items() if v == task.ablation),
        "ssim": [round(float(value), 5) for value in scores.ssim],
        "psnr": [round(float(value), 3) for value in scores.psnr],
        "baseline_ssim": round(scores.baseline_ssim, 5),
        "baseline_psnr": round(scores.baseline_psnr, 3),
    }
    if draws.lattice is not None:
        row["strain"] = round(log_metric_distance(cell.lattice, draws.lattice), 5)
        if task.ablation is None:
            pattern = ideal_problem(data.structure(task.index), CRYSTALLITES).pattern
            searched = cells_of_draws(maps[:1], draws.lattice, pattern, _model(task.weights).systems, randomness(task))
            row["found_strain"] = round(log_metric_distance(cell.lattice, next(searched)[0].lattice), 5)
    return row


def compared(task: Task) -> Comparison:
    """Return the densities drawn for a crystal beside the truth."""
    data = _data(task.file)
    cell = cell_of(data, task.index)
    truth, maps = truth_of(cell), draws_for(task, cell).maps(SHAPE)
    return Comparison(data.structure(task.index).composition.reduced_formula, truth, maps, score_maps(maps, truth))


def truth_of(cell: StandardCell) -> FloatArray:
    """Return the density of a crystal on 50³ points."""
    return electron_density(CellBatch.from_cells([(cell.lattice, cell.fractional, cell.numbers)]), 0, SHAPE).values


def draws_for(task: Task, cell: StandardCell) -> Draws:
    """Return densities drawn for the pattern of a crystal, whose peaks are as sharp as any that the network knows."""
    data, model = _data(task.file), _model(task.weights)
    torch.manual_seed(task.seed + task.index)
    patterns = Variety.plain(model.narrowest).patterns(torch.from_numpy(data.sticks([task.index])))
    n_species = model.network.config.n_species
    composition = torch.from_numpy(np.bincount(cell.numbers, minlength=n_species + 1)[None, 1:] / len(cell.numbers))
    composition = composition.float()
    if task.ablation is not None:
        composition = without_ratios(composition, torch.tensor([task.ablation]))
    n = DRAWS if task.ablation is None else ABLATION_DRAWS
    return drawn(model.network, patterns, composition, n, randomness(task))


def randomness(task: Task) -> np.random.Generator:
    """Return what is random about a crystal."""
    return np.random.default_rng([task.seed, task.index])


def seconds_for_one(task: Task) -> dict[str, float]:
    """Return how long a map of one draw takes on two threads, and its scores on one; the medians of five."""
    data, model = _data(task.file), _model(task.weights)
    truth = truth_of(cell_of(data, task.index))
    patterns = Variety.plain(model.narrowest).patterns(torch.from_numpy(data.sticks([task.index])))
    composition = torch.zeros(1, model.network.config.n_species)
    found: dict[str, list[float]] = {"map": [], "scores": []}
    for _ in range(5):
        with threads(2):
            start = time.perf_counter()
            maps = drawn(model.network, patterns, composition, 1, np.random.default_rng(0)).maps(SHAPE)
            found["map"].append(time.perf_counter() - start)
        start = time.perf_counter()
        score_maps(maps, truth)
        found["scores"].append(time.perf_counter() - start)
    return {name: round(median(values), 3) for name, values in found.items()}


@cache
def _data(file: Path) -> TrainingSet:
    return TrainingSet.load(file)


@cache
def _model(weights: str) -> SavedModel:
    return load_crystalnet(weights, "cpu")


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
