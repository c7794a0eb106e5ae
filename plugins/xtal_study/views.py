"""What a metric of the study is shown: the structures as they are, or without what it should not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xtal_core.cells import CellBatch
from xtal_core.errors import OptionError
from xtal_core.interfaces import Simulator
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import Pattern, Radiation
from xtal_core.registry import Registry
from xtal_core.suggest import suggest

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Between the name of a metric and that of a view.
SEPARATOR = "@"

#: Patterns are calculated for Cu Kα1 up to Q of 2θ = 90°, on a step of a fifth of the Gaussian's standard deviation,
#: which is that of the published evaluation of PXRDNet: 0.5 % of 4π/λ.
_RADIATION = Radiation.from_line("CuKa1")
_Q_RANGE = (0.4, 5.76)
_SIGMA = 0.005 * 4 * np.pi / _RADIATION.wavelength

#: Å³ an atom to which structures are scaled when volume is ignored: about the mean of inorganic crystals, so that
#: thresholds in Å and the widths of peaks keep their meaning.
VOLUME_OF_AN_ATOM = 20.0

#: Structures whose patterns are calculated together.
_BATCH = 64


@dataclass(frozen=True)
class View:
    """A way of looking at structures.

    Attributes
    ----------
    summary
        What it leaves out.
    apply
        Returns the structure as the metric is to see it.
    """

    summary: str
    apply: Callable[[Structure], Structure]


@dataclass(frozen=True)
class Column:
    """A metric and what it is shown: one column of numbers of a study.

    Attributes
    ----------
    metric
        As the registry calls it.
    view
        Key of `VIEWS`; empty for the structures as they are.
    """

    metric: str
    view: str = ""

    @property
    def name(self) -> str:
        """What tables and files call it: the metric, and after an @ the view."""
        return f"{self.metric}{SEPARATOR}{self.view}" if self.view else self.metric


def one_element(structure: Structure) -> Structure:
    """Return the structure with a silicon atom on every site, so that no metric can tell elements apart."""
    from pymatgen.core import Structure

    return Structure(structure.lattice, ["Si"] * len(structure), structure.frac_coords)


def same_volume(structure: Structure) -> Structure:
    """Return the structure scaled to a volume of `VOLUME_OF_AN_ATOM` for each atom."""
    from pymatgen.core import Structure

    lattice = structure.lattice.scale(VOLUME_OF_AN_ATOM * len(structure))
    return Structure(lattice, structure.species_and_occu, structure.frac_coords)


def geometry(structure: Structure) -> Structure:
    """Return the structure without elements and volume: what StructureMatcher sees when it ignores elements."""
    return same_volume(one_element(structure))


VIEWS = {
    "one-element": View("elements ignored (all atoms are taken as one element)", one_element),
    "same-volume": View(f"volume ignored (structures are scaled to {VOLUME_OF_AN_ATOM:g} Å³ an atom)", same_volume),
    "geometry": View("elements and volume ignored", geometry),
}


def parse_columns(texts: Iterable[str], registry: Registry) -> list[Column]:
    """Return the columns called METRIC or METRIC@VIEW. Raises OptionError for names that do not exist."""
    columns: dict[Column, None] = {}
    for text in texts:
        metric, _, view = text.partition(SEPARATOR)
        registry.offer("metric", metric)
        if view and view not in VIEWS:
            raise OptionError(f"there is no view '{view}' (in {text})", suggest(view, VIEWS, "views are"))
        columns.setdefault(Column(metric, view))
    return list(columns)


def items_of(column: Column, compares: str, structures: Sequence[Structure], simulator: Simulator | None) -> list[Any]:
    """Return what the metric of `column` is given for each of `structures`: structures, or their powder patterns.

    `compares` is the metric's; one that compares patterns needs a `simulator`.
    """
    shown = [VIEWS[column.view].apply(one) for one in structures] if column.view else list(structures)
    if compares == "structures":
        return shown
    assert simulator is not None
    return simulate_patterns(shown, simulator)


def simulate_patterns(structures: Sequence[Structure], simulator: Simulator) -> list[Pattern]:
    """Return the powder pattern of each structure, without noise or background, its maximum scaled to 1."""
    low, high = _Q_RANGE
    q = np.linspace(low, high, int(np.ceil((high - low) / (_SIGMA / 5))) + 1)
    measurement, profile = Measurement(q, _RADIATION), Profile(gaussian_sigma=_SIGMA)
    patterns: list[Pattern] = []
    for start in range(0, len(structures), _BATCH):
        cells = CellBatch.from_structures(structures[start : start + _BATCH])
        intensities = simulator.simulate(cells, measurement, [profile])
        patterns += [Pattern(q, intensity / intensity.max(), _RADIATION) for intensity in intensities]
    return patterns
