"""Fits the atomic volumes of `atomic_volumes` to structures: robust, relative, linear least squares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from xtal_core.errors import StructureError
from xtal_core.pattern import FloatArray
from xtal_prototype.atomic_volumes import ElementVolume
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


def read_compositions(paths: Iterable[Path]) -> tuple[list[Counter[int]], FloatArray]:
    """Return the cell contents by atomic number, and the cell volumes (n,) in Å³, of the usable structures at `paths`."""
    contents, volumes = [], []
    for raw in iterate_structures(find_files(paths)):
        try:
            lattice, _, numbers = parse_cell(raw.cif)
        except StructureError:
            continue  # What cannot be read cannot tell a volume; xtal library add lists such rows.
        contents.append(Counter(numbers.tolist()))
        volumes.append(abs(np.linalg.det(lattice)))
    return contents, np.array(volumes)


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
    solution = least_squares(
        lambda v: jacobian @ v - target, start, lambda _: jacobian, loss="cauchy", f_scale=_OUTLIER, x_scale="jac"
    ).x
    columns = (solution[:n], solution[n:], electronegativity, surroundings)
    return {
        number: ElementVolume(*(round(float(column[i]), 3) for column in columns), int(present[:, i].sum()))
        for i, number in enumerate(elements)
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
