"""What is compared: G(r) of a structure, calculated when its conditions are known, and measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xtal_core.errors import InputError
from xtal_pair_distribution.calculation import pair_distributions
from xtal_pair_distribution.conditions import Conditions
from xtal_pair_distribution.crystal import Crystal
from xtal_pair_distribution.gr_file import StatedConditions
from xtal_pair_distribution.morph_fit import Morphable, Target
from xtal_pair_distribution.morphing import MorphLimits, MorphSource
from xtal_pair_distribution.pair_distribution import PairDistribution

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Å: the first and the last distance of a comparison.
Window = tuple[float, float]

#: A window with fewer points says nothing about a fit of four parameters.
FEWEST_POINTS = 20


@dataclass(eq=False)
class Curve:
    """A G(r), and what morphing makes of it once and needs many times.

    Attributes
    ----------
    distribution
        The G(r).
    density : Å⁻³
        Number density of the atoms; 0 where it is not known.
    """

    distribution: PairDistribution
    density: float
    _morphables: dict[tuple[Window, MorphLimits], Morphable] = field(default_factory=dict, repr=False)
    _targets: dict[Window, Target] = field(default_factory=dict, repr=False)

    def morphable(self, window: Window, limits: MorphLimits) -> Morphable:
        """Return the curve as the side that is morphed."""
        key = window, limits
        if key not in self._morphables:
            source = MorphSource(self.distribution, self.density, limits)
            self._morphables[key] = Morphable(source, *window, limits)
        return self._morphables[key]

    def target(self, window: Window) -> Target:
        """Return the curve as the side that stays.

        Raises InputError when the window holds hardly any point of it, or zeros only.
        """
        if window not in self._targets:
            r, slack = self.distribution.r, 1e-6 * self.distribution.step
            inside = (r >= window[0] - slack) & (r <= window[1] + slack)
            target = Target(r[inside], self.distribution.g[inside])
            if inside.sum() < FEWEST_POINTS or not target.square:
                raise InputError(
                    f"G(r) of {self.distribution.source} has {inside.sum()} points between {window[0]:.4g} and "
                    f"{window[1]:.4g} Å{' and is zero there' if inside.any() and not target.square else ''}",
                    "compare over a range of r that both sides cover",
                )
            self._targets[window] = target
        return self._targets[window]

    def __getstate__(self) -> dict[str, Any]:
        # Other processes prepare what they need.
        return {"distribution": self.distribution, "density": self.density, "_morphables": {}, "_targets": {}}


@dataclass(eq=False)
class MeasuredFeature:
    """A measured G(r), and what its file says about the measurement."""

    curve: Curve
    stated: StatedConditions


@dataclass(eq=False)
class StructureFeature:
    """A structure and the G(r) calculated of it so far, by conditions.

    Attributes
    ----------
    structure, label
        What it is, and its name for messages.
    density : Å⁻³
        Number density of the atoms.
    empty_below : Å⁻¹
        No reflection has a smaller Q.
    """

    structure: Structure
    label: str
    density: float
    empty_below: float
    curves: dict[Conditions, Curve] = field(default_factory=dict, repr=False)

    @classmethod
    def from_structure(cls, structure: Structure, label: str) -> StructureFeature:
        """Return the feature of a structure. Raises StructureError for one without atoms or with a flat cell."""
        crystal = Crystal.from_structure(structure, Conditions.u_iso, label)
        # Every reciprocal lattice vector has a product of 2π or more with one of the lattice vectors at least.
        longest = max(structure.lattice.get_lll_reduced_lattice().abc)
        return cls(structure, crystal.label, crystal.number_density, 2 * np.pi / longest)


def calculate(features: Sequence[StructureFeature], conditions: Conditions) -> None:
    """Calculate G(r) under `conditions` for those of `features` that lack it, in as few batches as possible.

    A range of Q that begins below the first reflection of a crystal lacks nothing: it is as good as one from 0, whose
    G(r) is known without that of distances far beyond.
    """
    missing = [feature for feature in dict.fromkeys(features) if conditions not in feature.curves]
    whole = [feature for feature in missing if conditions.q_min < feature.empty_below]
    cut = [feature for feature in missing if conditions.q_min >= feature.empty_below]
    for batch, effective in ((whole, replace(conditions, q_min=0.0)), (cut, conditions)):
        structures, labels = [feature.structure for feature in batch], [feature.label for feature in batch]
        for feature, g in zip(batch, pair_distributions(structures, effective, labels), strict=True):
            feature.curves[conditions] = Curve(PairDistribution(conditions.r, g, feature.label), feature.density)
