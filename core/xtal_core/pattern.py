"""What was measured: a powder pattern over Q and the radiation it was measured with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xtal_core.errors import InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: X-ray emission lines in Å (Hölzer et al., Phys. Rev. A 56, 4554 (1997) and Bearden, Rev. Mod. Phys. 39, 78 (1967)).
EMISSION_LINES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "CuKa": ((1.540593, 1.544427), (1.0, 0.5)),
    "CuKa1": ((1.540593,), (1.0,)),
    "CuKa2": ((1.544427,), (1.0,)),
    "CuKb1": ((1.392234,), (1.0,)),
    "MoKa": ((0.709317, 0.713607), (1.0, 0.5)),
    "MoKa1": ((0.709317,), (1.0,)),
    "MoKa2": ((0.713607,), (1.0,)),
    "CoKa": ((1.788996, 1.792835), (1.0, 0.5)),
    "CoKa1": ((1.788996,), (1.0,)),
    "CrKa": ((2.289726, 2.293651), (1.0, 0.5)),
    "CrKa1": ((2.289726,), (1.0,)),
    "FeKa": ((1.936041, 1.939973), (1.0, 0.5)),
    "FeKa1": ((1.936041,), (1.0,)),
    "AgKa": ((0.559422, 0.563813), (1.0, 0.5)),
    "AgKa1": ((0.559422,), (1.0,)),
}


@dataclass(frozen=True)
class Radiation:
    """X-rays of one or several discrete wavelengths.

    `wavelengths` are in Å, the first being the reference of the Q axis; `weights` are their relative intensities.
    """

    name: str
    wavelengths: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.wavelengths or len(self.wavelengths) != len(self.weights):
            raise InputError("a radiation needs as many weights as wavelengths", "give one weight a wavelength")
        if not all(np.isfinite(w) and w > 0 for w in (*self.wavelengths, *self.weights)):
            raise InputError("wavelengths and weights must be positive numbers", "give wavelengths in Å")

    @classmethod
    def from_line(cls, name: str) -> Radiation:
        """Return the emission line called `name` (a key of `EMISSION_LINES`)."""
        wavelengths, weights = EMISSION_LINES[name]
        return cls(name, wavelengths, weights)

    @classmethod
    def monochromatic(cls, wavelength: float) -> Radiation:
        """Return radiation of a single wavelength in Å."""
        return cls(f"{wavelength:g} Å", (float(wavelength),), (1.0,))

    @property
    def wavelength(self) -> float:
        """Reference wavelength in Å: the one the Q axis refers to."""
        return self.wavelengths[0]

    def q_from_two_theta(self, two_theta: FloatArray) -> FloatArray:
        """Return Q = 4π sin θ / λ in Å⁻¹ for scattering angles 2θ in degrees."""
        return 4 * np.pi * np.sin(np.radians(np.asarray(two_theta, float)) / 2) / self.wavelength

    def two_theta_from_q(self, q: FloatArray) -> FloatArray:
        """Return 2θ in degrees for Q in Å⁻¹; NaN beyond backscattering."""
        sine = np.asarray(q, float) * self.wavelength / (4 * np.pi)
        return np.degrees(2 * np.arcsin(np.where(np.abs(sine) <= 1, sine, np.nan)))


#: A pattern of which fewer points are left says nothing.
FEWEST_POINTS = 10

#: Polynomials of a higher order follow reflections.
MOST_CHEBYSHEV_TERMS = 36


@dataclass(frozen=True, eq=False)
class Pattern:
    """A powder diffraction pattern, and how it is to be looked at.

    Nothing is ever cut out or subtracted: what prepares a pattern for a fit stands beside the measured points.

    Attributes
    ----------
    q : (n_points,) Å⁻¹
        Strictly increasing, positive.
    intensity : (n_points,)
        Counts or any quantity proportional to them.
    radiation
        What it was measured with; `q` refers to its first wavelength.
    uncertainty : (n_points,), optional
        Standard uncertainties of `intensity`, all positive.
    background : (n_points,), optional
        The background stored beside the pattern, in the units of `intensity`.
    source
        Where it came from, for messages and provenance.
    notes
        What the reader did that the user should know (points merged, order reversed, …).
    excluded : (n_points,), optional
        True where a point is to count for nothing: it weighs 0 in every fit and every sum.
    blank : (n_points,), optional
        What a container or solvent alone scatters, at the same points; a fit subtracts it with a factor that is not
        negative.
    blank_source
        Where that came from.
    chebyshev_terms
        How many Chebyshev polynomials the fitted background consists of; None leaves it to
        `xtal_core.pattern_features.background_terms`.
    """

    q: FloatArray
    intensity: FloatArray
    radiation: Radiation
    uncertainty: FloatArray | None = None
    background: FloatArray | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    excluded: BoolArray | None = None
    blank: FloatArray | None = None
    blank_source: str = ""
    chebyshev_terms: int | None = None

    def __post_init__(self) -> None:
        for name in ("q", "intensity", "uncertainty", "background", "blank"):
            values = getattr(self, name)
            if values is None:
                continue
            values = np.array(values, dtype=float)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
            if values.shape != self.q.shape or values.ndim != 1:
                raise InputError(f"{name} has shape {values.shape}, q has {self.q.shape}", "give one value a point")
            if not np.isfinite(values).all():
                raise InputError(f"{name} holds values that are not finite", "remove them from the data")
        if len(self.q) < 2 or self.q[0] <= 0 or (np.diff(self.q) <= 0).any():
            raise InputError("q must be positive and strictly increasing", "sort the points and merge duplicates")
        if self.uncertainty is not None and (self.uncertainty <= 0).any():
            raise InputError("standard uncertainties must be positive", "remove the points or the column")
        if self.excluded is not None:
            excluded = np.array(self.excluded, dtype=bool)
            excluded.setflags(write=False)
            object.__setattr__(self, "excluded", excluded)
            if excluded.shape != self.q.shape:
                raise InputError(f"excluded has shape {excluded.shape}, q has {self.q.shape}", "give one value a point")
            if np.sum(~excluded) < FEWEST_POINTS:
                problem = f"fewer than {FEWEST_POINTS} points are left to fit"
                raise InputError(problem, "exclude less", self.source or None)
        terms = self.chebyshev_terms
        if terms is not None and not 0 <= terms <= MOST_CHEBYSHEV_TERMS:
            remedy = f"give a number from 0 to {MOST_CHEBYSHEV_TERMS}"
            raise InputError(f"{terms} background terms were asked for", remedy)

    @property
    def two_theta(self) -> FloatArray:
        """(n_points,) degrees: 2θ for the reference wavelength."""
        return self.radiation.two_theta_from_q(self.q)

    @property
    def included(self) -> BoolArray:
        """(n_points,): True where a point counts."""
        return np.ones(len(self), bool) if self.excluded is None else ~self.excluded

    def __len__(self) -> int:
        return len(self.q)
