"""`xtal simulate`: the powder pattern of a structure, with noise and background if wanted."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import xtal_core
from xtal_core.agreement import measurement_for, resample
from xtal_core.cells import CellBatch
from xtal_core.counting import counted
from xtal_core.errors import OptionError, StructureError, fault_of
from xtal_core.interfaces import Simulator
from xtal_core.measurement import Profile
from xtal_core.options import parse_settings
from xtal_core.pattern import FloatArray, Pattern, Radiation
from xtal_core.readers import parse_radiation, read_structure
from xtal_core.registry import installed_registry

#: Intensity of the strongest point of a pattern without noise.
STRONGEST = 100.0


def simulate(
    structure: Annotated[Path, typer.Argument(help="Structure: CIF, POSCAR or pymatgen JSON.")],
    wavelength: Annotated[str, typer.Option("--wavelength", "-w", help="CuKa, CuKa1, MoKa, … or Å.")],
    size: Annotated[float | None, typer.Option("--size", help="Crystallite size in Å; infinite unless given.")] = None,
    gaussian: Annotated[
        float, typer.Option("--gaussian", help="Standard deviation in Å⁻¹ of the Gaussian broadening.")
    ] = 0.01,
    two_theta_min: Annotated[float, typer.Option("--two-theta-min", help="First point, degrees.")] = 5.0,
    two_theta_max: Annotated[float, typer.Option("--two-theta-max", help="Last point, degrees.")] = 90.0,
    points: Annotated[int, typer.Option("--points", min=10, help="Points, equally spaced in 2θ.")] = 4251,
    noise: Annotated[
        float | None,
        typer.Option("--noise", help="Counts at the strongest point of the noise-free pattern; adds counting noise."),
    ] = None,
    background: Annotated[
        float, typer.Option("--background", help="Background at the first point, as a fraction of the strongest peak.")
    ] = 0.0,
    simulator: Annotated[str, typer.Option("--simulator", help="What calculates the pattern.")] = "powder",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SIMULATOR.OPTION=VALUE", help="An option of the simulator."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Where the noise starts.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write.", show_default="the terminal")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace that file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of columns.")] = False,
) -> None:
    """Calculate the powder pattern of a structure: columns of 2θ in degrees and intensity.

    The strongest point is 100, or as many counts as --noise says.
    """
    radiation = parse_radiation(wavelength)
    _check(size, gaussian, two_theta_min, two_theta_max, noise, background)
    if out is not None and out.exists() and not force:
        raise OptionError(f"{out} exists", "choose another --out, or --force to replace it")
    if out is not None and not out.parent.is_dir():
        raise OptionError(f"there is no folder {out.parent}", "create it, or choose another --out")
    chosen = parse_settings(settings or [])
    if set(chosen) - {simulator}:
        raise OptionError(f"--set names '{min(set(chosen) - {simulator})}', which takes no part", f"use {simulator}")
    tool = installed_registry().create("simulator", simulator, chosen.get(simulator))
    crystal = read_structure(structure)
    two_theta = np.linspace(two_theta_min, two_theta_max, points)
    profile = Profile(crystallite_size=size, gaussian_sigma=gaussian)
    with fault_of(simulator):
        intensity = _calculate(tool, CellBatch.from_structures([crystal]), two_theta, radiation, profile)
    if not intensity.max() > 0:
        raise StructureError("has no reflection in this range", "raise --two-theta-max", structure)
    intensity = counted(
        two_theta,
        intensity,
        strongest=STRONGEST if noise is None else noise,
        background=background,
        random=None if noise is None else np.random.default_rng(seed),
    )
    if json:
        record = {
            "formula": crystal.composition.reduced_formula,
            "radiation": asdict(radiation),
            "profile": asdict(profile),
            "seed": None if noise is None else seed,
            "two_theta": two_theta.tolist(),
            "q": radiation.q_from_two_theta(two_theta).tolist(),
            "intensity": intensity.tolist(),
        }
        text = json_format.dumps(record, ensure_ascii=False) + "\n"
    else:
        header = _header(crystal.composition.reduced_formula, structure, radiation, profile, noise, seed)
        text = header + "".join(f"{x:.5f} {y:.6g}\n" for x, y in zip(two_theta, intensity, strict=True))
    if out is None:
        sys.stdout.write(text)
    else:
        _write(out, text)


def _calculate(
    simulator: Simulator, cells: CellBatch, two_theta: FloatArray, radiation: Radiation, profile: Profile
) -> FloatArray:
    """Return the (n_points,) pattern at `two_theta`, from a uniform Q axis at least four times as fine."""
    q = radiation.q_from_two_theta(two_theta)
    axis = measurement_for(Pattern(q, np.ones(len(q)), radiation), 4 * len(q))
    return np.maximum(resample(simulator.simulate(cells, axis, [profile])[0], axis, q), 0.0)


def _check(
    size: float | None, gaussian: float, low: float, high: float, noise: float | None, background: float
) -> None:
    """Refuse numbers that make no pattern."""
    if not 0 < low < high < 180:
        raise OptionError(f"2θ from {low:g}° to {high:g}° is no range", "give two angles between 0 and 180, rising")
    if size is not None and not 0 < size < np.inf:
        raise OptionError(f"the crystallite size is {size:g} Å", "give a positive size in Å")
    if not 0 <= gaussian < np.inf:
        raise OptionError(f"the Gaussian width is {gaussian:g} Å⁻¹", "give a width of at least 0")
    if gaussian == 0 and size is None:
        raise OptionError("reflections without width cannot be sampled", "give --size, or --gaussian above 0")
    if noise is not None and not 0 < noise < 1e15:
        raise OptionError(f"{noise:g} counts were asked for", "give --noise a positive number of counts")
    if not 0 <= background < np.inf:
        raise OptionError(f"the background is {background:g}", "give a fraction of at least 0")


def _header(formula: str, source: Path, radiation: Radiation, profile: Profile, noise: float | None, seed: int) -> str:
    """Return comment lines from which the pattern can be read again without further information."""
    widths = [f"Gaussian {profile.gaussian_sigma:g} 1/angstrom"]
    if profile.crystallite_size is not None:
        widths.append(f"crystallite size {profile.crystallite_size:g} angstrom")
    lines = [
        f"{formula} from {source.name}, calculated by xtal {xtal_core.__version__}",
        f"wavelength: {radiation.name}",
        f"broadening: {', '.join(widths)}",
        f"counting noise: {'none' if noise is None else f'{noise:g} counts at the strongest point, seed {seed}'}",
        "2theta intensity",
    ]
    return "".join(f"# {line}\n" for line in lines)


def _write(path: Path, text: str) -> None:
    """Write `text` to `path` so that the file is complete or not there."""
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
