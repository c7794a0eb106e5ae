"""The electron density of a free atom: a sum of Gaussians, from its tabulated form factor.

Waasmaier & Kirfel, Acta Cryst. A51 (1995) 416–431, fit f0(s) = c + Σ aᵢ exp(−bᵢ s²), s = sin θ/λ, i = 1…5, to the
form factors of neutral atoms for s up to 6 Å⁻¹. Thermal motion multiplies f0 by exp(−B s²). A term a exp(−β s²) is the
Fourier transform of a (4π/β)^{3/2} exp(−4π² r²/β); the constant is the term with b = 0.

Their sums at s = 0 miss the number of electrons by up to 7 parts in 10⁴. Here all terms of an element are scaled by one
factor, so that the density integrates to the atomic number exactly and its shape stays.

Some terms nearly cancel: carbon has c = 4.30 and a = −4.24 with b = −0.0003, dysprosium c = −83. Without displacements
they would make deltas and infinities out of what the fits say beyond s = 6 Å⁻¹, where they do not apply. `SMALLEST_B`
damps that to a thousandth; then every density is positive and falls from the nucleus.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from xtal_core.cells import IntArray
from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray

#: Å²: the isotropic displacement parameter B = 8π²⟨u²⟩ of every atom; ⟨u²⟩^{1/2} is 0.16 Å. Without one the cores are
#: too sharp for any grid. Soft crystals such as rock salt have about as much at room temperature, hard ones less.
B_ISO = 2.0

#: Å²: exp(−B s²) is below 10⁻³ where the fits end, at s = 6 Å⁻¹.
SMALLEST_B = 0.2

#: Californium, the last element with a tabulated form factor.
LAST_TABULATED = 98

#: Fraction of an atom's electrons that may lie beyond its cutoff radius.
BEYOND_CUTOFF = 1e-4

#: Å: spacing of tabulated radii, at which linear interpolation is right to 1 part in 10⁴.
_STEP = 0.002

#: Å: accuracy of the cutoff radii, and a radius beyond all of them.
_CUTOFF_STEP, _LARGEST_CUTOFF = 0.01, 15.0


@dataclass(frozen=True, eq=False)
class RadialTable:
    """The densities of all elements on common radii.

    Attributes
    ----------
    step
        Å; column j is for the radius j · `step`.
    values : (n_elements + 1, n_radii) e⁻/Å³
        The row is the atomic number; zero from the element's cutoff radius on.
    cutoffs : (n_elements + 1,) Å
        Radii beyond which less than `BEYOND_CUTOFF` of an element's electrons lie; the row is the atomic number.
    """

    step: float
    values: FloatArray
    cutoffs: FloatArray

    def at(self, numbers: int | IntArray, squared_radii: FloatArray) -> FloatArray:
        """Return (n,) e⁻/Å³ at distances whose squares are (n,) Å² from atoms of `numbers`, one or (n,).

        The distances must be within the cutoff radii of the atoms.
        """
        # Squares come from differences of large numbers and may be negative by rounding.
        position = np.sqrt(np.abs(squared_radii)) * (1 / self.step)
        column = position.astype(np.intp)
        position -= column
        column += np.asarray(numbers) * self.values.shape[1]
        flat = self.values.reshape(-1)
        lower = flat.take(column)
        column += 1
        return lower + position * (flat.take(column) - lower)


def gaussian_terms(number: int, b_iso: float = B_ISO) -> tuple[FloatArray, FloatArray]:
    """Return (6,) electrons and (6,) Å², the a and b + `b_iso` of the terms of the element with atomic `number`.

    The electrons add up to `number`; the last term is the constant. Raises InputError for an element that is not
    tabulated, and for a `b_iso` in Å² below `SMALLEST_B`.
    """
    check_tabulated(number)
    if b_iso < SMALLEST_B:
        remedy = f"choose {SMALLEST_B} Å² or more"
        raise InputError(f"a displacement parameter of {b_iso} Å² is too small for the tabulated form factors", remedy)
    electrons, widths = _waasmaier_kirfel()[number]
    return electrons * (number / electrons.sum()), widths + b_iso


def radial_density(number: int, radii: ArrayLike, b_iso: float = B_ISO) -> FloatArray:
    """Return the e⁻/Å³ at `radii` in Å, of any shape, around an atom of atomic `number` with `b_iso` in Å².

    Raises InputError like `gaussian_terms`.
    """
    electrons, widths = gaussian_terms(number, b_iso)
    exponents = np.square(np.asarray(radii, float))[..., None] * (-4 * np.pi**2 / widths)
    return np.exp(exponents) @ (electrons * (4 * np.pi / widths) ** 1.5)


def electrons_beyond(number: int, radii: ArrayLike, b_iso: float = B_ISO) -> FloatArray:
    """Return how many electrons are farther than `radii` in Å, of any shape, from an atom of atomic `number`.

    Raises InputError like `gaussian_terms`.
    """
    from scipy.special import erfc

    electrons, widths = gaussian_terms(number, b_iso)
    x = 2 * np.pi * np.asarray(radii, float)[..., None] / np.sqrt(widths)
    return (erfc(x) + 2 / np.sqrt(np.pi) * x * np.exp(-(x**2))) @ electrons


@cache
def radial_table(b_iso: float = B_ISO) -> RadialTable:
    """Return the densities of all tabulated elements with the displacement parameter `b_iso` in Å².

    Raises InputError for a `b_iso` below `SMALLEST_B`.
    """
    elements = range(1, LAST_TABULATED + 1)
    radii = np.arange(0.0, _LARGEST_CUTOFF, _CUTOFF_STEP)
    cutoffs = np.zeros(len(elements) + 1)
    for number in elements:
        beyond = np.abs(electrons_beyond(number, radii, b_iso)) >= BEYOND_CUTOFF * number
        cutoffs[number] = radii[np.flatnonzero(beyond)[-1] + 1]
    radii = np.arange(0.0, cutoffs.max() + 2 * _STEP, _STEP)
    values = np.zeros((len(elements) + 1, len(radii)))
    for number in elements:
        values[number] = np.where(radii < cutoffs[number], radial_density(number, radii, b_iso), 0.0)
    return RadialTable(_STEP, values, cutoffs)


def check_tabulated(numbers: ArrayLike) -> None:
    """Raise InputError naming those of `numbers` that have no density."""
    missing = sorted({int(number) for number in np.atleast_1d(numbers)} - _waasmaier_kirfel().keys())
    if missing:
        names = ", ".join(map(element_name, missing))
        remedy = f"only elements with atomic numbers 1 to {LAST_TABULATED} are tabulated"
        raise InputError(f"there is no form factor for {names}", remedy)


def element_name(number: int) -> str:
    """Return the symbol of an element, or its atomic number when it has none."""
    from pymatgen.core import Element

    try:
        return Element.from_Z(number).symbol
    except ValueError:
        return f"atomic number {number}"


@cache
def _waasmaier_kirfel() -> dict[int, tuple[FloatArray, FloatArray]]:
    """Return the (6,) aᵢ and c, and the (6,) Å² bᵢ and 0, of every neutral atom by atomic number."""
    from xraydb import get_xraydb

    return {
        row.atomic_number: (
            np.array([*json.loads(row.scale), row.offset]),
            np.array([*json.loads(row.exponents), 0.0]),
        )
        for row in get_xraydb().get_cache("Waasmaier")
        if row.ion == row.element
    }
