"""A refined structure and its pattern as powder CIF, in the data names of the IUCr's core and powder dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import gemmi
import numpy as np

import xtal_core
from xtal_core.agreement_factors import AgreementFactors
from xtal_core.candidate import Fit, Solution
from xtal_core.counting_statistics import standard_uncertainties
from xtal_core.pattern import FloatArray, Pattern, Radiation
from xtal_core.pattern_features import background_terms
from xtal_core.preparation import excluded_regions
from xtal_core.report.cif import ALIGNED, CrystalFile
from xtal_core.report.reflection_families import Families, families

#: Numbers that come back as they were, up to rounding of intensities.
INTENSITY, ANGLE = "{:.8g}", "{:.7f}"


def powder_cif(solution: Solution, files: Sequence[CrystalFile]) -> str | None:
    """Return the first candidate of `solution`, written as the first of `files`, with pattern, fit and reflections.

    None without a candidate that was fitted.
    """
    first = solution.ranked[0] if solution.ranked else None
    if first is None or first.candidate.fit is None or first.agreement is None:
        return None
    pattern, fit = solution.problem.pattern, first.candidate.fit
    document = gemmi.cif.read_string(files[0].text)
    block = document.sole_block()
    _write_conditions(block, pattern, fit)
    _write_factors(block, first.agreement)
    _write_points(block, pattern, fit)
    if first.reflections is not None:
        _write_reflections(block, families(first.reflections, files[0].setting))
    return f"# {files[0].name} and the measured pattern\n" + document.as_string(ALIGNED)


def _write_conditions(block: gemmi.cif.Block, pattern: Pattern, fit: Fit) -> None:
    """Write what was measured with what, and how it was described."""
    block.set_pair("_pd_calc_method", gemmi.cif.quote("Rietveld Refinement"))
    block.set_pair("_computing_structure_refinement", gemmi.cif.quote(f"xtal {xtal_core.__version__}"))
    block.set_pair("_pd_proc_ls_profile_function", _text(_describe_profile(fit)))
    if fit.profile.march_axis is not None:
        axis = " ".join(map(str, fit.profile.march_axis))
        lines = f"March-Dollase, coefficient {fit.profile.march_coefficient:.5f}, axis {axis} of the refined cell"
        block.set_pair("_pd_proc_ls_pref_orient_corr", _text(lines))
    block.set_pair("_pd_proc_ls_background_function", _text(_describe_background(pattern, fit)))
    regions = excluded_regions(pattern)
    if regions:
        lines = "\n".join(f"2theta {low:.4f} to {high:.4f} deg: excluded by the user" for low, high in regions)
        block.set_pair("_pd_proc_info_excluded_regions", _text(lines))
    _write_radiation(block, pattern.radiation)


def _write_radiation(block: gemmi.cif.Block, radiation: Radiation) -> None:
    block.set_pair("_diffrn_radiation_probe", "x-ray")
    if not radiation.name.endswith("Å"):
        block.set_pair("_diffrn_radiation_type", gemmi.cif.quote(radiation.name))
    loop = block.init_loop("_diffrn_radiation_wavelength", ["_id", "", "_wt"])
    strongest = max(radiation.weights)
    for number, (wavelength, weight) in enumerate(zip(radiation.wavelengths, radiation.weights, strict=True), start=1):
        loop.add_row([str(number), f"{wavelength:.8g}", f"{weight / strongest:.6g}"])


def _write_factors(block: gemmi.cif.Block, factors: AgreementFactors) -> None:
    """Write the agreement factors that have a name in the dictionaries, and in words those that have none."""
    named = {
        "_pd_proc_ls_prof_R_factor": factors.rp,
        "_pd_proc_ls_prof_wR_factor": factors.rwp,
        "_pd_proc_ls_prof_wR_expected": factors.rexp,
        "_refine_ls_goodness_of_fit_all": factors.goodness_of_fit,
        "_refine_ls_R_I_factor": factors.r_bragg,
    }
    for item, value in named.items():
        if value is not None:
            block.set_pair(item, f"{value:.5f}")
    block.set_pair("_refine_ls_number_parameters", str(factors.n_parameters))
    block.set_pair("_pd_proc_number_of_points", str(factors.n_points))
    lines = [
        f"Standard uncertainties of the intensities: {factors.uncertainties}.",
        f"Rwp with the background subtracted from the denominator: {factors.rwp_background_corrected:.5f}.",
        f"R2wp = sum w (obs - calc)^2 / sum w (obs - background)^2, no square root: {factors.r2wp:.6g}.",
    ]
    block.set_pair("_pd_proc_ls_special_details", _text("\n".join(lines)))


def _write_points(block: gemmi.cif.Block, pattern: Pattern, fit: Fit) -> None:
    """Write the measured points; those that were excluded have the weight 0."""
    sigma, _ = standard_uncertainties(pattern)
    # Of counts the uncertainty is understood; other intensities need theirs beside them.
    counts = sigma is not None and pattern.uncertainty is None
    weights = pattern.included * (np.ones(len(pattern)) if sigma is None else sigma**-2.0)
    intensity = "_pd_meas_counts_total" if counts else "_pd_meas_intensity_total"
    columns: dict[str, tuple[str, FloatArray]] = {
        "_pd_meas_2theta_scan": (ANGLE, pattern.two_theta),
        intensity: (INTENSITY, pattern.intensity),
        "_pd_calc_intensity_total": (INTENSITY, fit.calculated),
        "_pd_proc_intensity_bkg_calc": (INTENSITY, fit.background),
        "_pd_proc_ls_weight": (INTENSITY, weights),
    }
    if pattern.uncertainty is not None:
        columns[f"{intensity}_su"] = (INTENSITY, pattern.uncertainty)
    loop = block.init_loop("", list(columns))
    texts = [[form.format(value) for value in values.tolist()] for form, values in columns.values()]
    loop.set_all_values(texts)


def _write_reflections(block: gemmi.cif.Block, found: Families) -> None:
    """Write the reflections within the pattern; what the measured pattern says of |F|² is scaled by intensities."""
    ratio = np.divide(found.observed, found.calculated, out=np.full(len(found.d), np.nan), where=found.calculated > 0)
    columns = [
        *([str(index) for index in axis] for axis in found.hkl.T.tolist()),
        [str(value) for value in found.multiplicity.tolist()],
        [f"{value:.6f}" for value in found.d.tolist()],
        [INTENSITY.format(value) for value in found.squared_structure_factor.tolist()],
        [_known(value) for value in (ratio * found.squared_structure_factor).tolist()],
        [INTENSITY.format(value) for value in found.calculated.tolist()],
        [_known(value) for value in found.observed.tolist()],
    ]
    names = ["index_h", "index_k", "index_l", "symmetry_multiplicity", "d_spacing", "F_squared_calc", "F_squared_meas"]
    loop = block.init_loop("_refln_", [*names, "intensity_calc", "intensity_meas"])
    loop.set_all_values(columns)


def _known(value: float) -> str:
    return INTENSITY.format(value) if np.isfinite(value) else "?"


def _describe_profile(fit: Fit) -> str:
    """Return the profile in words, ASCII."""
    lines = ["sinc^2 of the crystallite size, convoluted with a Gaussian and a Lorentzian:"]
    values = asdict(fit.profile)
    lines += [f"{name} {value:.6g}" for name, value in values.items() if isinstance(value, float) and value]
    return "\n".join(lines)


def _describe_background(pattern: Pattern, fit: Fit) -> str:
    terms = background_terms(pattern)
    parts = [f"{terms} Chebyshev polynomials of the first kind in Q" if terms else ""]
    parts.append("the background of the file" if pattern.background is not None else "")
    if fit.blank_scale is not None:
        parts.append(f"a measured blank times {fit.blank_scale:.6g}")
    return " and ".join(part for part in parts if part) or "none"


def _text(text: str) -> str:
    """Return `text` as a CIF value, ASCII as CIF 1.1 asks for."""
    return gemmi.cif.quote(text.encode("ascii", "replace").decode())
