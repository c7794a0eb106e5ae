"""Moves that take a refined structure out of a minimum that is not the right one.

A candidate may have the right atoms in the wrong places (`kicked`), the elements exchanged between its sites
(`exchanged`), or be a differently distorted relative of the right structure: refined without symmetry (`released`) and
then symmetrised at several tolerances it shows the space group it really has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import gemmi
import numpy as np

from xtal_core.candidate import GIVEN, Candidate
from xtal_core.symmetrisation import higher_symmetries
from xtal_fit.symmetry import equivalent_atoms, free_directions
from xtal_fit.trial import Trial

#: Å; how far symmetric kicks move atoms.
KICKS = (0.15, 0.4, 0.4)

#: Å; random displacements that take a structure off its symmetric positions, where gradients vanish.
PERTURBATIONS = (0.05, 0.25)

#: Å; tolerances at which the space group of a freely refined structure is looked for.
TOLERANCES = (0.03, 0.1, 0.2, 0.35)

#: How far a restart is from where it is taken: strain, Å, and the logarithm of widths.
RESTART_STRAIN, RESTART_DISPLACEMENT, RESTART_WIDTH = 0.01, 0.4, 0.5

#: What is said of trials that were moved.
DISPLACED = "atoms were displaced at random before refinement"
RESTARTED = "refined from a cell, positions and peak widths drawn at random around the start"
RELEASED = "refined without symmetry for a while"
RAISED = "brought to a higher symmetry that it came close to"

#: What an exchange costs of the prior, for trials whose atoms are expected at an anchor. Generators decorate structure
#: types as chemistry suggests; where no model describes a pattern perfectly, neighbouring elements pass for each other.
EXCHANGE_COST = 1.0

#: No more than this many exchanges are tried for one structure.
MOST_EXCHANGES = 12


def kicked(trials: Sequence[Trial], random: np.random.Generator) -> list[Trial]:
    """Return the trials displaced at random along the directions that keep their symmetry, once for every kick."""
    moved = []
    for trial in trials:
        n_shifts = trial.directions.n_directions - trial.directions.n_strains
        if not n_shifts:
            continue
        for size in KICKS:
            step = np.zeros(trial.directions.n_directions)
            step[trial.directions.n_strains :] = random.normal(size=n_shifts) * size
            moved.append(replace(trial, displaced=True).stepped(step, trial.profile).settled().marked(DISPLACED))
    return moved


def exchanged(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials with the elements of two sets of equivalent atoms, equal in number, exchanged."""
    moved = []
    for trial in trials:
        orbits = equivalent_atoms(trial.lattice, trial.fractional, trial.numbers)
        labels, sizes = np.unique(orbits, return_counts=True)
        pairs = [
            (first, second)
            for i, first in enumerate(labels)
            for j, second in enumerate(labels[:i])
            if sizes[i] == sizes[j] and trial.numbers[first] != trial.numbers[second]
        ]
        for first, second in pairs[:MOST_EXCHANGES]:
            numbers = trial.numbers.copy()
            numbers[orbits == first] = trial.numbers[second]
            numbers[orbits == second] = trial.numbers[first]
            names = " and ".join(sorted(gemmi.Element(int(trial.numbers[atom])).name for atom in (first, second)))
            cost = 0.0 if trial.anchor is None else EXCHANGE_COST
            other = replace(trial, numbers=numbers, unlikelihood=trial.unlikelihood + cost)
            moved.append(other.marked(f"{names} were exchanged"))
    return moved


def restarted(trials: Sequence[Trial], n: int, random: np.random.Generator, *, known_size: bool) -> list[Trial]:
    """Return `n` trials for every one of `trials`: cell, atoms and peak widths changed at random, symmetry kept.

    With `known_size` the crystallite size stays.
    """
    drawn = []
    for trial in trials:
        n_strains, n_directions = trial.directions.n_strains, trial.directions.n_directions
        size = np.where(np.arange(n_directions) < n_strains, RESTART_STRAIN, RESTART_DISPLACEMENT)
        for _ in range(n):
            step = random.normal(size=n_directions) * size
            factors = np.exp(random.normal(size=3) * RESTART_WIDTH)
            profile = replace(
                trial.profile,
                gaussian_sigma=trial.profile.gaussian_sigma * factors[0],
                lorentzian_hwhm=trial.profile.lorentzian_hwhm * factors[1],
            )
            if profile.crystallite_size is not None and not known_size:
                profile = replace(profile, crystallite_size=profile.crystallite_size * factors[2])
            drawn.append(replace(trial, displaced=True).stepped(step, profile).marked(RESTARTED))
    return drawn


def released(trials: Sequence[Trial], random: np.random.Generator) -> list[Trial]:
    """Return the trials in P1, each once for every perturbation."""
    free = []
    for trial in trials:
        for size in PERTURBATIONS:
            shifts = random.normal(size=trial.fractional.shape) * size / np.sqrt(3)
            moved = replace(trial, fractional=trial.fractional + shifts @ np.linalg.inv(trial.lattice))
            free.append(moved.released().marked(RELEASED))
    return free


def symmetrised(trials: Sequence[Trial]) -> list[Trial]:
    """Return every higher symmetry that the trials come close to, as trials that keep it."""
    found = []
    for trial in trials:
        for higher in higher_symmetries(trial.lattice, trial.fractional, trial.numbers, TOLERANCES):
            lattice, fractional = higher.lattice, higher.fractional
            directions = free_directions(lattice, fractional, trial.numbers)
            ideal_trial = replace(trial, lattice=lattice, fractional=fractional, directions=directions)
            found.append(ideal_trial.settled().marked(RAISED))
    return found


def undisplaced(trials: Sequence[Trial], candidates: Sequence[Candidate]) -> list[Trial]:
    """Return the trials with their atoms where the `candidates` that they came from have them, each once.

    Coordinates are parameters that a poorly described pattern does not pay for. Those of a structure that the user gave
    are to be refined.
    """
    found: dict[tuple[int, bytes, int], Trial] = {}
    for trial in trials:
        candidate = candidates[trial.source]
        kind = trial.source, trial.numbers.tobytes(), trial.directions.n_strains
        if candidate.generator == GIVEN or kind in found:
            continue
        exchanged = trial.numbers.tolist() != list(candidate.structure.atomic_numbers)
        moves = trial.moves if exchanged else ()
        found[kind] = replace(trial.undisplaced(candidate.structure.frac_coords), moves=moves)
    return list(found.values())
