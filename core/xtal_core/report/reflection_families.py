"""Reflections in the written cell, those that symmetry makes equivalent listed once with their multiplicity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_core.reflection_table import ReflectionTable
from xtal_core.report.setting import Setting

#: Structure factors, relative to the largest |F|², below which a reflection is extinct.
EXTINCT = 1e-10


@dataclass(frozen=True, eq=False)
class Families:
    """Families of equivalent reflections by decreasing d.

    Attributes
    ----------
    hkl : (n, 3)
        One of each family, in the setting of the file.
    multiplicity : (n,)
        Members, Friedel mates included.
    d : (n,) Å
    squared_structure_factor : (n,)
        |F|² of the written cell in electrons², atoms at rest; the mean of the members.
    calculated, observed : (n,)
        Integrated intensities of the whole families; `observed` is NaN where it is not known.
    """

    hkl: IntArray
    multiplicity: IntArray
    d: FloatArray
    squared_structure_factor: FloatArray
    calculated: FloatArray
    observed: FloatArray


def families(table: ReflectionTable, setting: Setting) -> Families:
    """Return the reflections of `table`, which are in the candidate's setting, as families in that of the file.

    Those that are systematically absent, or vanish otherwise, are left out.
    """
    there = table.squared_structure_factor > EXTINCT * table.squared_structure_factor.max(initial=0.0)
    hkl = np.rint(setting.indices(table.hkl[there])).astype(int)
    rotations = np.unique(np.rint(setting.rotations).astype(int), axis=0)
    representatives, family = np.unique(_representatives(hkl, rotations), axis=0, return_inverse=True)
    family = family.ravel()
    counts = np.bincount(family, minlength=len(representatives))

    def total(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(family, values[there], minlength=len(representatives)), dtype=np.float64)

    cells = abs(np.linalg.det(setting.matrix)) ** -1
    d = total(table.d) / np.maximum(counts, 1)
    order = np.lexsort((-representatives[:, 2], -representatives[:, 1], -representatives[:, 0], -np.round(d, 7)))
    return Families(
        hkl=representatives[order],
        multiplicity=2 * counts[order],
        d=d[order],
        squared_structure_factor=(cells**2 * total(table.squared_structure_factor) / np.maximum(counts, 1))[order],
        calculated=total(table.calculated)[order],
        observed=total(table.observed)[order],
    )


def _representatives(hkl: IntArray, rotations: IntArray) -> IntArray:
    """Return (n, 3): of all images of each of `hkl`, Friedel mates included, the one with the largest indices."""
    images = np.einsum("ni,oij->noj", hkl, rotations)
    images = np.concatenate([images, -images], axis=1)
    span = 2 * int(np.abs(images).max(initial=0)) + 1
    keys = (images[..., 0] * span + images[..., 1]) * span + images[..., 2]
    return images[np.arange(len(hkl)), keys.argmax(axis=1)]
