"""Calibrates the verdict on simulated patterns of validation structures, which it solves first.

    python benchmarks/fit_verdict.py [nanocrystals|laboratory] [--materials N] [--nanocrystals N] [--laboratory N]
                                     [--limit N] [--collected] [--library train|known|table|FILE] [--out FOLDER]

Patterns of structures drawn from `mp20/val` under five conditions are solved as `xtal solve` does, which takes hours:
the laboratory patterns alone one of one core. Writes the calibration and a model card of each of its parts to
core/xtal_core/data; with `--limit`, of the first N of every condition, to the work folder. Named one part, it leaves
the other as it is. An interrupted run goes on from there, and one of fewer patterns is extended; `--collected` solves
nothing and takes what an earlier run solved.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from calibration_fit import (
    FEWEST_CASES,
    RIVALS_HELD,
    SOLVED_PRECISION,
    Fitted,
    fit_calibration,
    rival_distances,
)
from case_runs import RunFolder
from data_sets import ROOT, data_file, read_materials
from judged_solutions import counts_by_condition, judged_solutions, labels_of, unjudged
from logistic import Labels, expected_calibration_error, log_loss
from result_pages import markdown_table
from solution_run import (
    MODEL_CARDS,
    USUAL_LIBRARY,
    add_run_options,
    command_line,
    positive,
    run_benchmark,
    run_cases,
)
from structure_library import MADE_OF
from verdict_sample import (
    CONDITIONS,
    LABORATORY,
    LABORATORY_PATTERNS,
    NANOCRYSTAL_PATTERNS,
    SAMPLE,
    SAMPLE_SEED,
    Condition,
    Sample,
    share_of,
)
from xtal_core.errors import InputError
from xtal_core.plan import Plan
from xtal_core.provenance import sha256
from xtal_core.verdict_calibration import CALIBRATION_FILE, calibrations
from xtal_core.verdict_features import VerdictFeatures

#: Where the calibration that comes with the package is.
DATA = ROOT / "core" / "xtal_core" / "data"


@dataclass(frozen=True, eq=False)
class Part:
    """A kind of patterns that has a calibration of its own.

    Attributes
    ----------
    name, title
        In the command line, and in words.
    field
        Of `Calibrations`.
    conditions
        Under which its patterns are made.
    features
        Names of those that count.
    patterns
        What its patterns are, and what the solver is told.
    """

    name: str
    title: str
    field: str
    conditions: Sequence[Condition]
    features: Sequence[str]
    patterns: str

    @property
    def card(self) -> str:
        """File name of its model card."""
        return MODEL_CARDS[self.name]


NANOCRYSTAL_PART = Part(
    "nanocrystals",
    "patterns of one wavelength",
    "noise_limited",
    [condition for condition in CONDITIONS if condition != LABORATORY],
    [field.name for field in fields(VerdictFeatures) if field.name != "unexplained"],
    """\
- Patterns of nanocrystals: Cu Kα, one wavelength, 2θ 5–90°, Gaussian peaks of 0.085 Å⁻¹ besides the size. Noise:
  Poisson's at 10,000 counts in the strongest peak, over a sloping background of half its height, with a zero shift of
  0.05°. Told to the solver: formula, cell content and, for patterns without noise, the crystallite size.
""",
)

#: Texture and peak shapes leave more than noise, so that it counts which share of the pattern is left, not how far that
#: is above the noise; and few of the solutions are wrong, so that more features would be fitted to chance.
LABORATORY_PART = Part(
    "laboratory",
    "laboratory patterns",
    "model_limited",
    [LABORATORY],
    ["gap", "unexplained"],
    """\
- Simulated laboratory patterns: Cu Kα1 and Kα2, 2θ 10–90°, wrong intensities, peak shapes and backgrounds that the
  refinement does not describe exactly (`benchmarks/laboratory_patterns.py`). Told to the solver: the formula.
""",
)

#: By their names, in the order in which they are fitted.
PARTS = {part.name: part for part in (NANOCRYSTAL_PART, LABORATORY_PART)}


def main(arguments: list[str]) -> None:
    """Run the calibration."""
    parser = argparse.ArgumentParser(
        description="Calibrate the verdict on simulated patterns of validation structures."
    )
    add = parser.add_argument
    add("part", nargs="?", choices=PARTS, help="what is calibrated (default: both parts)")
    add("--materials", type=positive, default=SAMPLE, metavar="N", help=f"structures drawn (default: {SAMPLE})")
    for name, number in (("nanocrystals", NANOCRYSTAL_PATTERNS), ("laboratory", LABORATORY_PATTERNS)):
        explained = f"patterns of each condition of that kind, at most one a structure (default: {number})"
        add(f"--{name}", type=positive, default=number, metavar="N", help=explained)
    add("--collected", action="store_true", help="solve nothing, take what was solved")
    add_run_options(parser)
    chosen = parser.parse_args(arguments)

    parts = [PARTS[chosen.part]] if chosen.part else list(PARTS.values())
    samples = {part.name: solved_samples(part, chosen, arguments) for part in parts}
    choice = chosen.library or USUAL_LIBRARY
    library = f"made of {' and '.join(MADE_OF[choice])}" if choice in MADE_OF else Path(choice).name
    out = chosen.out or (DATA if chosen.limit is None else chosen.work)
    found = calibrations()
    for part in parts:
        judged = [one for sample in samples[part.name].values() for one in sample.judged]
        # Nanocrystals come first: where few laboratory patterns show rivals, their window is that of nanocrystals.
        other_window = found.noise_limited.rival_window if part == LABORATORY_PART else None
        fitted = fit_calibration(judged, part.features, other_window)
        found = replace(found, **{part.field: fitted.calibration})
        card = "".join(model_card(part, fitted, samples[part.name], library, command_line(arguments)))
        (out / part.card).write_text(card, encoding="utf-8")
        print(card)
    plan = Plan()
    found = replace(
        found, generators=plan.generators, refiner=str(plan.refiner), metric=plan.metric, simulator=plan.simulator
    )
    (out / CALIBRATION_FILE).write_text(json.dumps(found.to_record(), indent=1) + "\n", encoding="utf-8")
    print(f"written to {out}")


def solved_samples(part: Part, chosen: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Sample]:
    """Return what was solved under the conditions of `part`, by their names, solving first what is missing.

    Raises InputError where there is not a single solution.
    """
    table = data_file("mp20/val.csv.gz")
    materials = read_materials(table)
    random.Random(SAMPLE_SEED).shuffle(materials)
    numbers = {c.name: chosen.laboratory if c == LABORATORY else chosen.nanocrystals for c in CONDITIONS}
    samples: dict[str, Sample] = {}
    for condition in part.conditions:
        drawn = share_of(condition.name, materials[: chosen.materials], numbers)[: chosen.limit]
        folder = RunFolder(chosen.work.resolve() / condition.run_name)
        if not chosen.collected:
            cases = condition.cases(drawn, chosen.work / "patterns" / condition.run_name)
            basis = {"materials": sha256(table), "condition": condition.name}
            folder = run_cases(condition.run_name, cases, basis, chosen, arguments).folder
        solved = judged_solutions(drawn, folder, condition.name)
        meant = LABORATORY_PATTERNS if condition == LABORATORY else NANOCRYSTAL_PATTERNS
        samples[condition.name] = Sample(drawn, solved, unjudged(drawn, folder, solved), meant)
    if not any(sample.judged for sample in samples.values()):
        raise InputError(f"nothing of {part.name} was solved yet", "run without --collected", chosen.work)
    return samples


def model_card(part: Part, fitted: Fitted, samples: Mapping[str, Sample], library: str, command: str) -> Iterator[str]:
    """Yield the pieces of the model card of a part; `samples` are those of its conditions by their names."""
    judged, labels = fitted.judged, labels_of(fitted.judged)
    solved = {one.material_id for one in judged}
    materials = {material.material_id: material for sample in samples.values() for material in sample.materials}
    known = np.mean([bool(materials[name].prototype_in_train) for name in solved])
    yield f"""\
# Model card: the verdict on {part.title}

A logistic regression, `{part.field}` in `{CALIBRATION_FILE}`: the probability that the first candidate of a
solution is the right structure, and the thresholds of the words *solved*, *ambiguous* and *not solved*. What it is for:
`docs/verdict.md`. Written, with this card, by

    {command}

## Fitted to

{len(judged)} solutions of simulated patterns of {len(solved)} structures drawn at random from the MP-20 validation set,
{int((~labels).sum())} of them wrong (Materials Project, CC BY 4.0; split of Xie et al., ICLR 2022).

- Right means that pymatgen's StructureMatcher (0.3, 0.5, 10°) matches the first candidate and the structure.
- Structure library searched: {library}. {known:.0%} of the structures are of a type that occurs in `mp20/train`.
{part.patterns}
"""
    yield markdown_table(
        ("condition", "patterns", "not solved yet", "without a candidate", "solutions", "right", "right among ten"),
        [
            (
                name,
                len(samples[name].materials),
                samples[name].missing.waiting,
                samples[name].missing.failed,
                c["n"],
                f"{c['right']:.3f}",
                f"{c['listed']:.3f}",
            )
            for name, c in counts_by_condition(judged).items()
        ],
    )
    yield "\nSolutions without a candidate have no verdict.\n"
    if len(samples) > 1:
        yield (
            "The conditions take their structures in turn from one list, going around: they share few, and all "
            "patterns of a structure are in the same fold of the cross-validation.\n"
        )
    small = [f"{sample.meant} patterns of {name}" for name, sample in samples.items() if sample.is_small]
    if small:
        yield f"\n**A small sample**: {', '.join(small)} were meant to be solved. Thresholds are uncertain.\n"
    yield "\n## Calibration\n\n"
    yield from _regression(fitted)
    yield """
## Limits

Calculated, ordered structures of up to 20 atoms in the cell, of one phase; others may be right more or less often.
Whatever changes residuals, merits or priors (ranking, refinement, generator) makes another calibration necessary.
"""


def _regression(fitted: Fitted) -> Iterator[str]:
    """Yield what is to be said of a calibration."""
    calibration, labels = fitted.calibration, labels_of(fitted.judged)
    yield markdown_table(
        ("feature", "mean", "scale", "coefficient", "lowest", "highest"),
        [
            (f.name, *(f"{number:.3g}" for number in (f.mean, f.scale, f.coefficient, f.low, f.high)))
            for f in calibration.features
        ],
    )
    base = np.full(len(labels), labels.mean())
    yield (
        f"\nIntercept {calibration.intercept:.3g}, penalty {fitted.strength:g}/2 Σ coefficient². Out of fold (ten "
        f"folds, a structure's patterns together): log-loss {log_loss(fitted.probabilities, labels):.3f} (the share of "
        f"right solutions alone: {log_loss(base, labels):.3f}), expected calibration error "
        f"**{expected_calibration_error(fitted.rows):.3f}**.\n\n"
    )
    yield markdown_table(
        ("probability", "solutions", "mean probability", "share right"),
        [(f"{r.low:.1f}–{r.high:.1f}", r.n, f"{r.probability:.3f}", f"{r.share:.3f}") for r in fitted.rows],
    )
    yield "\n"
    yield markdown_table(("word", "from probability", "solutions", "share right"), list(_words(fitted, labels)))
    yield (
        f"\nThe threshold of *solved* is an estimate from these solutions: the lowest from which on the lower end of "
        f"Wilson's interval for the share right (z = 1, 84 % confidence) is at least {SOLVED_PRECISION:g}.\n"
    )
    n = len(rival_distances(fitted.judged))
    yield f"\nRivals are within {calibration.rival_window:g} of the first candidate's merit, as "
    if n >= FEWEST_CASES:
        yield f"{RIVALS_HELD:.0%} of the {n} right structures are that are listed but not first.\n"
    else:
        yield f"with nanocrystals: here only {n} right structures are listed but not first.\n"


def _words(fitted: Fitted, labels: Labels) -> Iterator[Sequence[Any]]:
    words = np.array([fitted.calibration.word(float(p)) for p in fitted.probabilities])
    starts = {"solved": fitted.calibration.solved_from, "ambiguous": fitted.calibration.not_solved_below}
    for word in ("solved", "ambiguous", "not solved"):
        here = words == word
        start = starts.get(word, 0.0)
        share = f"{labels[here].mean():.3f}" if here.any() else None
        yield word, "never" if start > 1 else f"{start:g}", int(here.sum()), share


if __name__ == "__main__":
    sys.exit(run_benchmark(main))
