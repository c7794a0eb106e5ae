"""Atomic form factors and the Lorentz–polarisation factor, in pymatgen's conventions."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray

#: Å² per electron: 41.78214 = 8π² ε₀ h² … / (m e²) of the Mott–Bethe relation between electron and X-ray factors.
MOTT_BETHE = 41.78214

N_GAUSSIANS = 4


@lru_cache(maxsize=1)
def form_factor_table() -> tuple[FloatArray, frozenset[int]]:
    """Return (n_elements + 1, 4, 2) Gaussian coefficients (a Å, b Å²) by atomic number, and which numbers have any.

    The electron scattering coefficients that pymatgen distributes (Peng et al., via Fultz and Howe).
    """
    from pymatgen.core import Element

    text = files("pymatgen.analysis.diffraction").joinpath("atomic_scattering_params.json").read_text()
    table = np.zeros((120, N_GAUSSIANS, 2))
    known = set()
    for symbol, coefficients in json.loads(text).items():
        if Element.is_valid_symbol(symbol):
            number = Element(symbol).Z
            table[number] = coefficients
            known.add(number)
    return table, frozenset(known)


def check_elements(numbers: set[int]) -> None:
    """Raise StructureError for an element without a form factor."""
    from pymatgen.core import Element

    missing = sorted(numbers - form_factor_table()[1])
    if missing:
        symbols = ", ".join(Element.from_Z(number).symbol for number in missing)
        raise StructureError(f"no X-ray form factor is tabulated for {symbols}", "replace the element")


def form_factors(numbers: torch.Tensor, s_squared: torch.Tensor, *, slope: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f and df/ds² of elements `numbers` (n_blocks, n_elements) at s² (n_blocks, …, n_reflections) in Å⁻².

    s = sin θ/λ. Both results are (n_blocks, …, n_elements, n_reflections); f = Z − 41.78214 s² Σ a exp(−b s²). The
    second is empty unless `slope` is asked for.
    """
    table = torch.as_tensor(form_factor_table()[0], device=s_squared.device)[numbers]
    table = table.reshape(len(numbers), *(1 for _ in s_squared.shape[1:-1]), numbers.shape[1], 1, N_GAUSSIANS, 2)
    square = s_squared[..., None, :]
    total = s_squared.new_zeros(*s_squared.shape[:-1], numbers.shape[1], s_squared.shape[-1])
    total_b = torch.zeros_like(total) if slope else total.new_empty(0)
    for k in range(N_GAUSSIANS):
        a, b = table[..., k, 0], table[..., k, 1]
        term = (square * -b).exp_()
        total.addcmul_(term, a)
        if slope:
            total_b.addcmul_(term, a * b)
    derivative = total_b.mul_(square).sub_(total).mul_(MOTT_BETHE) if slope else total_b
    z = numbers.to(s_squared.dtype).reshape(table.shape[:-2])
    return total.mul_(square).mul_(-MOTT_BETHE).add_(z), derivative


def lorentz_polarisation(q: torch.Tensor, wavelength: float) -> torch.Tensor:
    """Return (1 + cos² 2θ)/(sin² θ cos θ) for Q in Å⁻¹; beyond backscattering its value there, which is finite here."""
    square = (q * (wavelength / (4 * math.pi))).square_().clamp_(1e-18, 1 - 1e-9)
    cosine = (1 - square).sqrt_()
    return (1 - 2 * square).square_().add_(1).div_(square).div_(cosine)


def lorentz_polarisation_slope(q: torch.Tensor, wavelength: float) -> torch.Tensor:
    """Return the derivative of the logarithm of `lorentz_polarisation` with respect to Q, in Å."""
    per_q = wavelength / (4 * math.pi)
    x = (q * per_q).clamp(1e-9, 1 - 1e-9)
    double = 1 - 2 * x * x
    return (x / (1 - x * x) - 2 / x - 8 * x * double / (1 + double * double)) * per_q
