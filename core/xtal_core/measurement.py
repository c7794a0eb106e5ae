"""How a pattern is to be calculated: axis, radiation and what the sample and the instrument do to reflections."""

from __future__ import annotations

from dataclasses import dataclass

from xtal_core.pattern import FloatArray, Radiation


@dataclass(frozen=True)
class Profile:
    """What turns reflections into a pattern; its numbers are those a refiner may vary.

    The peak shape is a convolution of three parts: the finite-size kernel sinc²(Qτ/2) (PXRDNet, eq. 1), a Gaussian of
    standard deviation σ and a Lorentzian of half width γ. For a reflection seen at Q = 4π sin θ/λ

        σ² = gaussian_sigma² + (strain_sigma · Q)² + (instrument_sigma · π/180 · 2π cos θ/λ)²
        γ  = lorentzian_hwhm +  strain_hwhm · Q    +  instrument_hwhm · π/180 · 2π cos θ/λ

    Widths of one kind are constant in Q (crystallites), grow with Q (microstrain; Williamson and Hall, Acta Metall. 1,
    22 (1953)) or are constant in 2θ (the instrument). In 2θ the first are proportional to 1/cos θ and the second to
    tan θ: variances are those of Caglioti, Paoletti and Ricci (Nucl. Instrum. 3, 223 (1958)), U tan²θ + V tan θ + W,
    without the term V, and with size in its place.

    Attributes
    ----------
    crystallite_size
        τ in Å; None for an infinite crystal.
    gaussian_sigma
        Standard deviation in Å⁻¹, the same at every Q.
    lorentzian_hwhm
        Half width at half maximum in Å⁻¹, the same at every Q.
    b_iso
        Overall isotropic displacement parameter B in Å²: intensities are multiplied by exp(−2 B sin²θ/λ²).
    zero_shift
        Degrees 2θ added to the position of every reflection.
    strain_sigma
        Standard deviation of Δd/d, if it is normally distributed.
    strain_hwhm
        Half width at half maximum of the distribution of Δd/d, if that is a Lorentzian.
    instrument_sigma
        Standard deviation in degrees 2θ, the same at every angle.
    instrument_hwhm
        Half width at half maximum in degrees 2θ, the same at every angle.
    sample_displacement
        Degrees 2θ, times cos θ, added to the position of every reflection: −2 s/R (180°/π) for a flat sample that lies
        s behind the axis of a Bragg–Brentano diffractometer of radius R.
    march_coefficient
        r of March's distribution of orientations (Z. Kristallogr. 81, 285 (1932)), with the correction of Dollase
        (J. Appl. Cryst. 19, 267 (1986)): every reflection's intensity is multiplied by (r² cos²α + sin²α/r)^(−3/2),
        where α is the angle between its plane's normal and that of `march_axis`. 1 is a powder without texture; below
        1, plates lie flat on a flat sample; above, needles do.
    march_axis
        Miller indices of the planes that are aligned, in the cell's own setting; None for no texture.
    """

    crystallite_size: float | None = None
    gaussian_sigma: float = 0.0
    lorentzian_hwhm: float = 0.0
    b_iso: float = 0.0
    zero_shift: float = 0.0
    strain_sigma: float = 0.0
    strain_hwhm: float = 0.0
    instrument_sigma: float = 0.0
    instrument_hwhm: float = 0.0
    sample_displacement: float = 0.0
    march_coefficient: float = 1.0
    march_axis: tuple[int, int, int] | None = None


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
