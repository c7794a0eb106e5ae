"""Fits the atomic volumes of `atomic_volumes` to structures: robust, relative, linear least squares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_prototype.atomic_volumes import ElementVolume
from xtal_prototype.library import Refusal
from xtal_prototype.reading import parse_cell
from xtal_prototype.sources import find_files, iterate_structures

#: Relative deviation beyond which a structure counts less: low-density frameworks and molecules are no guide.
_OUTLIER = 0.05
#: Strength, in relative volume per (Å³ per unit of electronegativity), that keeps the slopes of rare elements small.
_RIDGE = 0.1
#: Noble gases have no Pauling value; in crystals they neither give nor take.
_NOBLE_GAS_ELECTRONEGATIVITY = 2.0


@dataclass(frozen=True, eq=False)
class VolumeSpread:
    """Relative errors |V_expected / V − 1| over a set of structures."""

    n: int
    median: float
    ninetieth: float
    bias: float


def read_compositions(paths: Iterable[Path]) -> tuple[list[Counter[int]], FloatArray, list[Refusal]]:
    """Return cell contents by atomic number, cell volumes (n,) in Å³, and what could not be used, of `paths`."""
    contents, volumes, refusals = [], [], []
    for raw in iterate_structures(find_files(paths)):
        try:
            lattice, _, numbers = parse_cell(raw.cif)
        except StructureError as error:
            refusals.append(Refusal(raw.source, raw.digest, str(error)))
            continue
        contents.append(Counter(numbers.tolist()))
        volumes.append(abs(np.linalg.det(lattice)))
    return contents, np.array(volumes), refusals


def fit_volumes(contents: list[Counter[int]], volumes: FloatArray) -> dict[int, ElementVolume]:
    """Return the volume model by atomic number; see `atomic_volumes`.

    Parameters
    ----------
    contents
        Atoms of each atomic number in a cell.
    volumes : (n,) Å³
        Volumes of those cells.
    """
    from scipy.optimize import least_squares

    elements = sorted(set().union(*contents))
    electronegativity = np.array([_electronegativity(number) for number in elements])
    amounts = np.array([[content[number] for number in elements] for content in contents], float)
    present = amounts > 0
    mean = amounts @ electronegativity / amounts.sum(axis=1)
    surroundings = mean @ present / present.sum(axis=0)
    design = np.hstack([amounts, amounts * (mean[:, None] - surroundings)]) / volumes[:, None]
    n = len(elements)
    jacobian = np.vstack([design, np.hstack([np.zeros((n, n)), _RIDGE * np.eye(n)])])
    target = np.concatenate([np.ones(len(volumes)), np.zeros(n)])
    start = np.linalg.lstsq(jacobian, target, rcond=None)[0]

    def residuals(v: FloatArray) -> FloatArray:
        return jacobian @ v - target

    # scipy's annotations know only methods by name here.
    derivatives: Any = lambda _: jacobian  # noqa: E731
    solution = least_squares(residuals, start, derivatives, loss="cauchy", f_scale=_OUTLIER, x_scale="jac").x
    rows = np.round([solution[:n], solution[n:], electronegativity, surroundings], 3).T.tolist()
    counts = present.sum(axis=0).tolist()
    return {
        number: ElementVolume(*row, n_structures=count)
        for number, row, count in zip(elements, rows, counts, strict=True)
    }


def write_volumes(path: Path, table: dict[int, ElementVolume]) -> None:
    """Write a fitted table as the JSON text that `atomic_volumes` reads."""
    rows = ",\n".join(f'    "{number}": {json.dumps(astuple(row))}' for number, row in sorted(table.items()))
    columns = json.dumps([field.name for field in fields(ElementVolume)])
    path.write_text(f'{{\n  "columns": {columns},\n  "elements": {{\n{rows}\n  }}\n}}\n', "utf-8")


def volume_spread(expected: FloatArray, volumes: FloatArray) -> VolumeSpread:
    """Return how far `expected` (n,) is from `volumes` (n,)."""
    error = expected / volumes - 1
    return VolumeSpread(
        len(error), float(np.median(abs(error))), float(np.quantile(abs(error), 0.9)), float(np.median(error))
    )


def _electronegativity(number: int) -> float:
    from pymatgen.core import Element

    element = Element.from_Z(number)
    return _NOBLE_GAS_ELECTRONEGATIVITY if element.is_noble_gas and element.symbol not in ("Kr", "Xe") else element.X
