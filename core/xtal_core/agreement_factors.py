"""Agreement factors by their standard definitions, each under its own name.

With observed intensities o, calculated ones c (background included), the background b, weights w = 1/σ² and sums over
the N points that are not excluded, P parameters having been varied (Young, The Rietveld Method, Oxford (1993), p. 21;
Toby, Powder Diffr. 21, 67 (2006)):

    Rwp    = √[ Σ w (o − c)² / Σ w o² ]                    weighted profile factor, conventional
    Rwp,b  = √[ Σ w (o − c)² / Σ w (o − b)² ]              the same corrected for background
    Rp     = Σ |o − c| / Σ |o|                             profile factor
    Rexp   = √[ (N − P) / Σ w o² ]                         what Rwp would be if only noise were left
    χ²     = Σ w (o − c)² / (N − P) = (Rwp/Rexp)²          reduced; its root is the goodness of fit
    RBragg = Σ |I_obs − I_calc| / Σ I_obs                  of the reflections' integrated intensities
    R²wp   = Σ w' (o − c)² / Σ w' (o − b)²                 no root; w' = 1/σ² if the file states σ, else 1

A background raises the denominator of Rwp, so that Rwp,b is the one that can be compared between instruments. R²wp is
what candidates are ranked by and what PXRDNet publishes (there without background and weights); it is the square of
Rwp,b where the weights are the same. Rexp and χ² need standard uncertainties and are None without: unit weights say
nothing about noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xtal_core.candidate import Fit
from xtal_core.counting_statistics import standard_uncertainties
from xtal_core.pattern import FloatArray, Pattern


@dataclass(frozen=True)
class AgreementFactors:
    """How well a fit describes a pattern; fractions, not per cent. For the formulas see the module.

    Attributes
    ----------
    rwp, rwp_background_corrected, rp
        Conventional profile factors.
    rexp, chi_squared
        None where the standard uncertainties of the points are not known.
    r_bragg
        None where the simulator does not list reflections.
    r2wp
        The residual by which candidates are ranked.
    n_points, n_parameters
        N and P.
    uncertainties
        Where the σ of the weights of Rwp came from, or why all points weigh the same.
    """

    rwp: float
    rwp_background_corrected: float
    rp: float
    rexp: float | None
    chi_squared: float | None
    r_bragg: float | None
    r2wp: float
    n_points: int
    n_parameters: int
    uncertainties: str

    @property
    def goodness_of_fit(self) -> float | None:
        """√χ² = Rwp/Rexp."""
        return None if self.chi_squared is None else math.sqrt(self.chi_squared)


def agreement_factors(pattern: Pattern, fit: Fit, r_bragg: float | None = None) -> AgreementFactors:
    """Return the agreement factors of `fit` with `pattern`; `r_bragg` is taken over."""
    included = pattern.included
    sigma, how = standard_uncertainties(pattern)
    observed = pattern.intensity[included]
    misfit, net = observed - fit.calculated[included], observed - fit.background[included]
    weights = np.ones(len(observed)) if sigma is None else sigma[included] ** -2
    squares = float(weights @ misfit**2)
    total = float(weights @ observed**2)
    degrees_of_freedom = len(observed) - fit.n_parameters
    known = sigma is not None and degrees_of_freedom > 0
    return AgreementFactors(
        rwp=math.sqrt(squares / total),
        rwp_background_corrected=math.sqrt(squares / float(weights @ net**2)),
        rp=float(np.abs(misfit).sum() / np.abs(observed).sum()),
        rexp=math.sqrt(degrees_of_freedom / total) if known else None,
        chi_squared=squares / degrees_of_freedom if known else None,
        r_bragg=r_bragg,
        r2wp=fit.residual,
        n_points=len(observed),
        n_parameters=fit.n_parameters,
        uncertainties=how if sigma is not None else f"{how}; every point weighs the same",
    )


def r_bragg(observed: FloatArray, calculated: FloatArray) -> float | None:
    """Return Σ |I_obs − I_calc| / Σ I_obs of (n_reflections,) intensities; None where nothing was observed."""
    total = float(observed.sum())
    return float(np.abs(observed - calculated).sum()) / total if total > 0 else None
