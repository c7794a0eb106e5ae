"""Fits the substitution scores of `chemistry` to which elements share sites in known structure types.

Every species of a structure type is a slot that holds different elements in different members. Pairs of members are
counted slot by slot; the score is the logarithm of the count over the one expected by chance, as in Hautier et al.,
Inorg. Chem. 50, 656 (2011). Rare pairs are drawn towards a linear model in electronegativity, size and place in the
periodic table: with counts Poisson distributed and a gamma prior around the model, (N + k)/(E + k/prior).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from xtal_core.pattern import FloatArray
from xtal_prototype.atomic_volumes import ElementVolume

#: Members a pair must have in common before the data outweigh the model.
_PRIOR_STRENGTH = 5.0
#: A slot with n members counts √n: common types do not drown the others.
_SLOT_EXPONENT = 0.5
_LARGEST_PRIOR = 6.0


def fit_substitutions(
    slots: Iterable[Mapping[int, int]], volumes: Mapping[int, ElementVolume]
) -> tuple[list[int], FloatArray]:
    """Return (atomic numbers, scores (n, n)).

    Parameters
    ----------
    slots
        For every species of every structure type: how many members have which atomic number there.
    volumes
        Fitted atomic volumes; elements without one are left out.
    """
    numbers = sorted(volumes)
    counts = np.array([[slot.get(number, 0) for number in numbers] for slot in slots], float)
    members = counts.sum(axis=1)
    counts, members = counts[members >= 2], members[members >= 2]
    weights = members**_SLOT_EXPONENT
    shares = counts / members[:, None]
    pairs = (shares * weights[:, None]).T @ shares
    # A member is not evidence that its element can be replaced by itself.
    pairs -= np.diag((weights / members) @ shares)
    # Back from weights to numbers of members, so that the prior's strength is one too.
    pairs = np.maximum(pairs, 0) * counts.sum() / weights.sum()
    single = pairs.sum(axis=1)
    chance = np.outer(single, single) / single.sum()
    prior = np.exp(_model(pairs, chance, _features(numbers, volumes)))
    scores = np.log((pairs + _PRIOR_STRENGTH) / (chance + _PRIOR_STRENGTH / prior))
    # A collection holds every compound once, so that slots repeat an element less often than its neighbours; to keep
    # an element is never worse than to replace it.
    np.fill_diagonal(scores, scores.max(axis=1))
    return numbers, scores


def write_substitutions(path: Path, numbers: list[int], scores: FloatArray) -> None:
    """Write the table that `chemistry` reads."""
    np.savez_compressed(path, numbers=np.array(numbers, np.uint8), scores=scores.astype(np.float16))


def _model(pairs: FloatArray, chance: FloatArray, features: FloatArray) -> FloatArray:
    """Return (n, n), the log-odds that a linear model in `features` (n, n, n_features) gives every pair."""
    upper = np.triu_indices(len(pairs))
    target = np.log((pairs[upper] + 0.5) / (chance[upper] + 0.5))
    root = np.sqrt(np.sqrt(chance[upper]))
    coefficients = np.linalg.lstsq(features[upper] * root[:, None], target * root, rcond=None)[0]
    return np.clip(features @ coefficients, -_LARGEST_PRIOR, _LARGEST_PRIOR)


def _features(numbers: list[int], volumes: Mapping[int, ElementVolume]) -> FloatArray:
    """Return (n, n, n_features) of every pair of elements."""
    from pymatgen.core import Element

    elements = [Element.from_Z(number) for number in numbers]
    electronegativity = np.array([volumes[number].electronegativity for number in numbers])
    size = np.log([volumes[number].volume for number in numbers])
    f_block = np.array([element.is_lanthanoid + 2 * element.is_actinoid for element in elements])
    group = np.array([3 if element.is_lanthanoid or element.is_actinoid else element.group for element in elements])
    period = np.array([element.row for element in elements])
    difference = [abs(column[:, None] - column[None, :]) for column in (electronegativity, size, group)]
    columns = [
        np.ones_like(difference[0]),
        difference[0],
        difference[0] ** 2,
        difference[1],
        difference[1] ** 2,
        difference[2] == 0,
        np.minimum(difference[2], 6),
        period[:, None] == period[None, :],
        (f_block[:, None] == f_block[None, :]) & (f_block[:, None] > 0),
        np.eye(len(numbers)),
    ]
    return np.stack([column.astype(float) for column in columns], axis=-1)
