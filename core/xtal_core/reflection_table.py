"""Reflections with calculated and observed intensities, the measured pattern being shared among them after Rietveld."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xtal_core.agreement import measurement_for, spread
from xtal_core.candidate import Candidate
from xtal_core.cells import CellBatch, IntArray
from xtal_core.interfaces import ListsReflections, Simulator
from xtal_core.pattern import FloatArray, Pattern

#: Share of a reflection's intensity that must fall on points that count; else its observed intensity is not known.
LEAST_COVERED = 0.5

#: Net calculated intensity, relative to its largest, below which no reflection is there to be given anything.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class ReflectionTable:
    """The reflections of a candidate within its pattern, one of each Friedel pair, by increasing Q.

    Attributes
    ----------
    hkl : (n, 3)
        In the setting of the candidate's structure.
    d : (n,) Å
    two_theta : (n,) degrees
        Where the reference wavelength shows them, shifts included.
    squared_structure_factor : (n,)
        |F|² of the cell in electrons², atoms at rest.
    calculated, observed : (n,)
        Integrated over Q, in the units of the measured intensity times Å⁻¹, as far as points count; `observed` is NaN
        where most of a reflection is excluded or outside.
    """

    hkl: IntArray
    d: FloatArray
    two_theta: FloatArray
    squared_structure_factor: FloatArray
    calculated: FloatArray
    observed: FloatArray

    @property
    def known(self) -> tuple[FloatArray, FloatArray]:
        """Observed and calculated intensities of the reflections of which both are known."""
        known = np.isfinite(self.observed)
        return self.observed[known], self.calculated[known]


def reflection_table(pattern: Pattern, candidate: Candidate, simulator: Simulator) -> ReflectionTable | None:
    """Return the reflections of a fitted `candidate`; None when the simulator does not list reflections.

    At every point the measured intensity above background is shared among the reflections in proportion to what each
    contributes to the calculated pattern there, and summed (Rietveld, J. Appl. Cryst. 2, 65 (1969), eq. 7):

        I_obs(k) = Σᵢ [y_k(i) / Σ_k' y_k'(i)] (o(i) − b(i)) ΔQ(i).

    Such intensities are biased towards the calculated ones where reflections overlap.
    """
    fit = candidate.fit
    if fit is None or not isinstance(simulator, ListsReflections):
        return None
    # What refiners say about reflections beyond the last point decides what the calculated pattern consists of.
    beyond = candidate.details.get("reflections_beyond_pattern", True)
    measurement = replace(measurement_for(pattern), reflections_to=None if beyond else float(pattern.q[-1]))
    cell = CellBatch.from_structures([candidate.structure])
    listed = simulator.list_reflections(cell, measurement, fit.profile)
    net = fit.calculated - fit.background
    there = net > NOTHING * net.max(initial=0.0)
    ratio = np.divide(pattern.intensity - fit.background, net, out=np.ones(len(net)), where=there)
    spacing = np.gradient(pattern.q) * pattern.included
    weights = spread(np.stack([spacing, spacing * ratio]), measurement, pattern.q)
    calculated, observed = fit.scale * simulator.weigh_reflections(cell, measurement, fit.profile, weights)
    covered = calculated >= LEAST_COVERED * fit.scale * listed.intensity
    within = (listed.position >= pattern.q[0]) & (listed.position <= pattern.q[-1])
    return ReflectionTable(
        hkl=listed.hkl[within],
        d=2 * np.pi / listed.q[within],
        two_theta=pattern.radiation.two_theta_from_q(listed.position[within]),
        squared_structure_factor=listed.squared_structure_factor[within],
        calculated=calculated[within],
        observed=np.where(covered, observed, np.nan)[within],
    )
