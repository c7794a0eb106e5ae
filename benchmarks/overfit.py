"""Whether CDVAE can learn a few crystals by heart: the first sanity check of its encoder, heads, denoiser and sampling.

    python benchmarks/overfit.py [--structures 32] [--steps 7000] [--settings fast|paper] [--out FOLDER]

Structures are drawn at random from `mp20/train`. Each is encoded, and composition, number of atoms, lattice and
positions are decoded from its latent vector, the species being told to the denoiser. Writes docs/benchmarks/overfit.md
and overfit.json.
"""

# ruff: noqa: E402 - numerical libraries decide on their threads when they are imported

from __future__ import annotations

import os

for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from data_sets import data_file, read_materials
from result_pages import RESULTS, markdown_table, met, write_result
from simulator import machine
from xtal_cdvae.model.cdvae import CDVAE
from xtal_cdvae.model.config import FAST, PAPER, CDVAEConfig
from xtal_cdvae.model.crystal_batch import CrystalBatch
from xtal_cdvae.model.sampling import langevin
from xtal_core.cells import CellBatch
from xtal_core.errors import XtalError
from xtal_core.progress_display import progress_display
from xtal_core.provenance import sha256

SETTINGS = {"fast": FAST, "paper": PAPER}

#: Learning rate at the beginning and at the end, along a cosine; gradients are clipped.
RATES, CLIP = (1e-3, 1e-5), 0.5

#: Noisy copies of each crystal in a training step.
COPIES = 4

#: Langevin steps at each noise level, as many as in the paper, beside the predictor.
STEPS_PER_LEVEL = 100

#: Share of the structures that is to be reconstructed, lattice and positions.
AIM = 0.9

#: Tolerances of StructureMatcher: those of the field, and those of PXRDNet's published code.
TOLERANCES = {"0.3, 0.5, 10°": (0.3, 0.5, 10.0), "0.2, 0.3, 5°": (0.2, 0.3, 5.0)}

PAGE = """\
# CDVAE learns {n} structures by heart

`{command}`

{n} structures drawn at random from `mp20/train`, {atoms:.1f} atoms in the primitive cell on average. The settings
`{settings}` ({parameters:.2f} million parameters, denoiser {denoiser}) were trained on all of them at once, each with
{copies} different noises, in {steps} steps ({minutes:.0f} minutes of processor time on one core of {processor}); then
each was encoded and decoded once: lattice from the latent vector, positions by {levels} noise levels with the predictor
and {langevin} Langevin steps each, starting anywhere. The aim is 90 %: {reached}.

{matches}
"Lattice given" decodes into the true cell. RMS displacements are StructureMatcher's, in units of (V/N)^⅓, over matches.

{heads}
## Losses

{losses}"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--structures", type=int, default=32, help="how many (default 32)")
    parser.add_argument("--steps", type=int, default=7000, help="of training (default 7000)")
    parser.add_argument("--settings", choices=SETTINGS, default="fast", help="sizes of the network (default fast)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default 0)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    try:
        path = data_file("mp20/train.csv.gz")
        structures = read_structures(path, options.structures, options.seed)
    except XtalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    crystals = CrystalBatch.from_cells(CellBatch.from_structures(structures))
    start = time.process_time()
    model, losses = learn(SETTINGS[options.settings], crystals, options.steps, options.seed)
    seconds = time.process_time() - start
    record = {
        "command": " ".join(["python", "benchmarks/overfit.py", *(sys.argv[1:] if arguments is None else arguments)]),
        "data": {"file": "mp20/train.csv.gz", "sha256": sha256(path), "structures": len(structures)},
        "machine": machine(),
        "training": {
            "settings": options.settings,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "steps": options.steps,
            "processor_seconds": seconds,
            "atoms_mean": float(crystals.n_atoms.float().mean()),
        },
        "reconstruction": reconstruction(model, crystals, structures, options.seed),
        "losses": losses,
    }
    write_result(options.out, "overfit", page(record), record)
    return 0


def read_structures(path: Path, n: int, seed: int) -> list[Structure]:
    """Return the primitive Niggli cells of `n` structures of the table at `path`, drawn by `seed`."""
    materials = read_materials(path)
    chosen = np.random.default_rng(seed).choice(len(materials), min(n, len(materials)), replace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structures = [Structure.from_str(materials[i].cif, fmt="cif") for i in chosen]
    return [structure.get_primitive_structure().get_reduced_structure() for structure in structures]


def learn(config: CDVAEConfig, crystals: CrystalBatch, steps: int, seed: int) -> tuple[CDVAE, list[dict[str, float]]]:
    """Return a network trained on `crystals` alone, and the means of its losses in each tenth of the `steps`."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = CDVAE(config)
    model.normalise_lattices(crystals.lattice, crystals.n_atoms)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATES[0], foreach=True)
    copies = repeated(crystals, COPIES)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, RATES[1])
    history: list[dict[str, float]] = []
    with progress_display() as progress:
        for _ in progress.track(range(steps), "training"):
            posterior = model.encode(crystals)
            z = torch.cat([posterior.sample(generator) for _ in range(COPIES)])
            losses = model.losses(copies, z, posterior, generator)
            optimiser.zero_grad()
            model.total(losses).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimiser.step()
            schedule.step()
            history.append({name: value.item() for name, value in losses.items()})
    tenths = np.array_split(np.arange(steps), min(10, steps))
    means = [
        {"steps": int(part[-1]) + 1} | {name: float(np.mean([history[i][name] for i in part])) for name in history[0]}
        for part in tenths
    ]
    return model.eval(), means


def repeated(crystals: CrystalBatch, n: int) -> CrystalBatch:
    """Return `crystals`, `n` times one after the other."""
    return CrystalBatch(
        crystals.atomic_numbers.repeat(n),
        crystals.frac_coords.repeat(n, 1),
        crystals.lattice.repeat(n, 1, 1),
        crystals.n_atoms.repeat(n),
    )


@torch.no_grad()
def reconstruction(model: CDVAE, crystals: CrystalBatch, structures: Sequence[Structure], seed: int) -> dict[str, Any]:
    """Return what of `crystals`, which are `structures`, comes back from their latent vectors."""
    z = model.encode(crystals).mean
    found = model.crystal_parameters(z)
    fractions = torch.zeros_like(found.composition)
    fractions.index_put_(
        (crystals.owner, crystals.atomic_numbers - 1), 1 / crystals.n_atoms[crystals.owner], accumulate=True
    )
    lattices = {"decoded": model.lattice_from(z, crystals.n_atoms), "given": crystals.lattice}
    rows = []
    for name, lattice in lattices.items():
        coordinates = langevin(
            model,
            z,
            crystals.atomic_numbers,
            crystals.n_atoms,
            lattice,
            steps_per_level=STEPS_PER_LEVEL,
            generator=torch.Generator().manual_seed(seed),
            predictor=True,
        )
        made = structures_of(crystals, lattice, coordinates)
        for label, (length, site, angle) in TOLERANCES.items():
            matcher = StructureMatcher(length, site, angle)
            distances = [matcher.get_rms_dist(a, b) for a, b in zip(made, structures, strict=True)]
            displacements = [distance[0] for distance in distances if distance is not None]
            rows.append(
                {
                    "lattice": name,
                    "tolerances": label,
                    "matched": len(displacements) / len(structures),
                    "rms": float(np.mean(displacements)) if displacements else None,
                }
            )
    difference = 0.5 * (found.composition.softmax(-1) - fractions).abs().sum(-1)
    return {
        "matches": rows,
        "atom_count_right": float((found.atom_count.argmax(-1) + 1 == crystals.n_atoms).float().mean()),
        "composition_wrong": float(difference.mean()),
        "volume_error": float(
            (torch.linalg.det(lattices["decoded"]).abs() / torch.linalg.det(crystals.lattice).abs() - 1).abs().mean()
        ),
    }


def structures_of(crystals: CrystalBatch, lattice: torch.Tensor, coordinates: torch.Tensor) -> list[Structure]:
    """Return `crystals` with other lattices (n, 3, 3) Å and fractional `coordinates` (n_atoms, 3)."""
    ends = crystals.n_atoms.cumsum(0).tolist()
    atoms = [slice(end - n, end) for end, n in zip(ends, crystals.n_atoms.tolist(), strict=True)]
    return [
        Structure(lattice[i].numpy(), crystals.atomic_numbers[atoms[i]].tolist(), coordinates[atoms[i]].numpy())
        for i in range(len(crystals))
    ]


def page(record: dict[str, Any]) -> str:
    """Return the page that shows `record`."""
    training, found = record["training"], record["reconstruction"]
    settings = SETTINGS[training["settings"]]
    names = [name for name in record["losses"][0] if name != "steps"]
    return PAGE.format(
        **record["machine"],
        command=record["command"],
        n=record["data"]["structures"],
        atoms=training["atoms_mean"],
        settings=training["settings"],
        parameters=training["parameters"] / 1e6,
        denoiser=settings.denoiser,
        steps=training["steps"],
        minutes=training["processor_seconds"] / 60,
        levels=settings.levels,
        langevin=STEPS_PER_LEVEL,
        copies=COPIES,
        reached=met(found["matches"][0]["matched"] >= AIM),
        matches=markdown_table(
            ["lattice", "tolerances", "reconstructed (%)", "mean RMS displacement"],
            [
                [
                    row["lattice"],
                    row["tolerances"],
                    f"{100 * row['matched']:.0f}",
                    "–" if row["rms"] is None else f"{row['rms']:.3f}",
                ]
                for row in found["matches"]
            ],
        ),
        heads=(
            f"The number of atoms is right for {100 * found['atom_count_right']:.0f} %, "
            f"{100 * found['composition_wrong']:.1f} % of the composition is wrong on average, and volumes are "
            f"{100 * found['volume_error']:.1f} % off.\n"
        ),
        losses=markdown_table(
            ["steps up to", *names],
            [[row["steps"], *(f"{row[name]:.3f}" for name in names)] for row in record["losses"]],
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
