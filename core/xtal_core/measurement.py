"""How a pattern is to be calculated: axis, radiation and what broadens the reflections."""

from __future__ import annotations

from dataclasses import dataclass

from xtal_core.pattern import FloatArray, Radiation


@dataclass(frozen=True)
class Profile:
    """What turns reflections into a pattern; its numbers are those a refiner may vary.

    The peak shape is a convolution of three parts of constant width in Q: the finite-size kernel sinc²(Qτ/2)
    (PXRDNet, eq. 1), a Gaussian and a Lorentzian.

    Attributes
    ----------
    crystallite_size
        τ in Å; None for an infinite crystal.
    gaussian_sigma
        Standard deviation in Å⁻¹.
    lorentzian_hwhm
        Half width at half maximum in Å⁻¹.
    b_iso
        Overall isotropic displacement parameter B in Å²: intensities are multiplied by exp(−2 B sin²θ/λ²).
    zero_shift
        Degrees 2θ added to the position of every reflection.
    """

    crystallite_size: float | None = None
    gaussian_sigma: float = 0.0
    lorentzian_hwhm: float = 0.0
    b_iso: float = 0.0
    zero_shift: float = 0.0


@dataclass(frozen=True, eq=False)
class Measurement:
    """The axis and the radiation on which patterns are calculated.

    Attributes
    ----------
    q : (n_points,) Å⁻¹
        Uniformly spaced, increasing.
    radiation
        Wavelengths; `q` refers to the first.
    reflections_to
        Largest Q in Å⁻¹ of a reflection that contributes. None: every reflection whose peak can reach the axis.
    """

    q: FloatArray
    radiation: Radiation
    reflections_to: float | None = None

    @property
    def step(self) -> float:
        """Spacing of `q` in Å⁻¹."""
        return float(self.q[-1] - self.q[0]) / (len(self.q) - 1)
