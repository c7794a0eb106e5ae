"""Training sets: crystals as flat arrays with the sticks of their powder patterns, in one file without code.

Patterns are kept as sticks, before any broadening, so that crystallite size, peak width, noise and background can be
drawn anew whenever a model looks at a crystal. They are those of MP-20-PXRD (Guo et al., "Ab initio structure solutions
from nanocrystalline powder diffraction data via diffusion models", 2025): `N_BINS` bins from Q = 0 to 4π/λ, and of two
reflections in one bin the larger.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xtal_core.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

FORMAT = "xtal training set"
FORMAT_VERSION = "1"

#: Å: the mean of Cu Kα1 and Kα2.
WAVELENGTH = 1.54184

#: Degrees: no stick is beyond.
LARGEST_TWO_THETA = 90.0

#: Å⁻¹: where the axis ends.
LARGEST_Q = 4 * np.pi / WAVELENGTH

#: Å⁻¹ of that angle.
LAST_REFLECTION = LARGEST_Q * np.sin(np.radians(LARGEST_TWO_THETA / 2))

#: Bins of a stick pattern.
N_BINS = 4096

#: Of the elements: H to Og.
LARGEST_ATOMIC_NUMBER = 118

#: The arrays of a file, beside the names, and their types.
ARRAYS: Mapping[str, type[np.generic]] = {
    "n_atoms": np.int32,
    "lattice": np.float32,
    "space_group": np.int16,
    "atomic_numbers": np.uint8,
    "frac_coords": np.float32,
    "stick_offsets": np.int64,
    "stick_bins": np.uint16,
    "stick_heights": np.float32,
}

_REMEDY = "build it again with xtal data build"


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Ordered crystals in their Niggli-reduced primitive cells, atoms and sticks of all one after the other.

    Attributes
    ----------
    names : n
        What the sources call them.
    n_atoms : (n,) int32
    lattice : (n, 3, 3) float32, Å
        Lattice vectors as rows.
    space_group : (n,) int16
        International numbers.
    atomic_numbers : (n_atoms.sum(),) uint8
    frac_coords : (n_atoms.sum(), 3) float32
        Fractional coordinates in [0, 1).
    stick_offsets : (n + 1,) int64
        Sticks of crystal i are `stick_offsets[i]:stick_offsets[i + 1]` of the arrays below.
    stick_bins : (n_sticks,) uint16
        Where a stick is, 0 to `N_BINS` − 1; increasing within a crystal.
    stick_heights : (n_sticks,) float32
        The largest of each crystal is 1.
    metadata
        Where it came from, as texts: sources with their SHA-256, wavelength, versions.
    """

    names: tuple[str, ...]
    n_atoms: NDArray[np.int32]
    lattice: NDArray[np.float32]
    space_group: NDArray[np.int16]
    atomic_numbers: NDArray[np.uint8]
    frac_coords: NDArray[np.float32]
    stick_offsets: NDArray[np.int64]
    stick_bins: NDArray[np.uint16]
    stick_heights: NDArray[np.float32]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> TrainingSet:
        """Return the training set in a file. Raises InputError for another file, and for contents that cannot be."""
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        if not path.is_file():
            raise InputError("there is no such file", "make one with xtal data build", path)
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = _checked_metadata((file.metadata() or {}).get(FORMAT), path)
                arrays: dict[str, Any] = {name: file.get_tensor(name) for name in (*ARRAYS, "names")}
        except SafetensorError as error:
            raise InputError(f"is not a complete training set ({error})", _REMEDY, path) from None
        names = tuple(json.loads(arrays.pop("names").tobytes()))
        loaded = cls(names=names, metadata=metadata, **arrays)
        defect = loaded.defect()
        if defect:
            raise InputError(defect, _REMEDY, path)
        return loaded

    def save(self, path: str | Path) -> None:
        """Write the file, completely or not at all."""
        from safetensors.numpy import save

        path = Path(path)
        arrays: dict[str, NDArray[Any]] = {
            name: np.ascontiguousarray(getattr(self, name), dtype) for name, dtype in ARRAYS.items()
        }
        arrays["names"] = np.frombuffer(json.dumps(self.names, ensure_ascii=False).encode(), np.uint8)
        # One text: safetensors writes several in any order, and the same set should be the same file.
        metadata = {FORMAT: json.dumps({"version": FORMAT_VERSION, **self.metadata}, ensure_ascii=False)}
        draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            draft.write_bytes(save(arrays, metadata))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def join(cls, parts: Sequence[TrainingSet]) -> TrainingSet:
        """Return the crystals of all `parts`, which are at least one, in order; metadata are those of the first."""
        ends = np.cumsum([0, *(len(part.stick_bins) for part in parts)])
        offsets = [part.stick_offsets[1:] + end for part, end in zip(parts, ends[:-1], strict=True)]
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS if name != "stick_offsets"
        }
        return cls(
            names=tuple(name for part in parts for name in part.names),
            stick_offsets=np.concatenate([[0], *offsets]),
            metadata=parts[0].metadata,
            **joined,
        )

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def atom_offsets(self) -> NDArray[np.int64]:
        """(n + 1,) atoms of crystal i are rows `atom_offsets[i]:atom_offsets[i + 1]` of the arrays of atoms."""
        return np.concatenate([[0], np.cumsum(self.n_atoms, dtype=np.int64)])

    def subset(self, indices: ArrayLike) -> TrainingSet:
        """Return the crystals at `indices` (n,), in that order."""
        chosen = np.asarray(indices, np.int64).reshape(-1)
        atoms, _ = _rows(self.atom_offsets, chosen)
        sticks, stick_offsets = _rows(self.stick_offsets, chosen)
        return replace(
            self,
            names=tuple(self.names[i] for i in chosen),
            n_atoms=self.n_atoms[chosen],
            lattice=self.lattice[chosen],
            space_group=self.space_group[chosen],
            atomic_numbers=self.atomic_numbers[atoms],
            frac_coords=self.frac_coords[atoms],
            stick_offsets=stick_offsets,
            stick_bins=self.stick_bins[sticks],
            stick_heights=self.stick_heights[sticks],
        )

    def sticks(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return the (n_indices, `N_BINS`) stick patterns of the crystals at `indices`, largest stick 1."""
        chosen = np.asarray(indices, np.int64).reshape(-1)
        rows, offsets = _rows(self.stick_offsets, chosen)
        patterns = np.zeros((len(chosen), N_BINS), np.float32)
        owner = np.repeat(np.arange(len(chosen)), np.diff(offsets))
        patterns[owner, self.stick_bins[rows]] = self.stick_heights[rows]
        return patterns

    def structure(self, index: int) -> Structure:
        """Return crystal `index`."""
        from pymatgen.core import Lattice, Structure

        atoms = slice(self.atom_offsets[index], self.atom_offsets[index + 1])
        lattice = Lattice(self.lattice[index].astype(float))
        return Structure(lattice, self.atomic_numbers[atoms].tolist(), self.frac_coords[atoms].astype(float))

    def defect(self) -> str:
        """Return what makes this unusable for training, or nothing."""
        n = len(self.names)
        if not n:
            return "holds no crystal"
        n_atoms, n_sticks = int(self.n_atoms.sum()), len(self.stick_bins)
        shapes = {
            "n_atoms": (n,),
            "lattice": (n, 3, 3),
            "space_group": (n,),
            "atomic_numbers": (n_atoms,),
            "frac_coords": (n_atoms, 3),
            "stick_offsets": (n + 1,),
            "stick_heights": (n_sticks,),
        }
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                return f"{name} is {found} instead of {shape}"
        for name in ("lattice", "frac_coords", "stick_heights"):
            if not np.isfinite(getattr(self, name)).all():
                return f"{name} holds numbers that are not finite"
        if self.stick_offsets[0] or self.stick_offsets[-1] != n_sticks or (np.diff(self.stick_offsets) < 0).any():
            return "stick_offsets do not divide the sticks among the crystals"
        outside = np.any((self.frac_coords < 0) | (self.frac_coords >= 1), axis=1)
        wrong = {
            "without atoms": self.n_atoms < 1,
            "without a pattern": np.diff(self.stick_offsets) < 1,
            "with a flat cell": np.abs(np.linalg.det(self.lattice)) < 1e-3,
            "with an unknown element": self._owners_of((self.atomic_numbers - 1) >= LARGEST_ATOMIC_NUMBER),
            "with coordinates outside the cell": self._owners_of(outside),
        }
        for kind, crystals in wrong.items():
            if crystals.any():
                return f"holds a crystal {kind}: {self.names[int(np.argmax(crystals))]}"
        if n_sticks and self.stick_bins.max() >= N_BINS:
            return "holds a stick beyond the last bin"
        return ""

    def _owners_of(self, atoms: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return (n,) which crystals have one of the `atoms` (n_atoms.sum(),) that are marked."""
        owner = np.repeat(np.arange(len(self)), self.n_atoms)
        return np.bincount(owner[atoms], minlength=len(self)) > 0


def _rows(offsets: NDArray[np.int64], chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows that belong to the `chosen` of ragged arrays divided by `offsets`, and their new offsets."""
    counts = np.diff(offsets)[chosen]
    new_offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    rows = np.arange(new_offsets[-1]) + np.repeat(offsets[chosen] - new_offsets[:-1], counts)
    return rows, new_offsets


def _checked_metadata(text: str | None, path: Path) -> dict[str, str]:
    """Return the metadata of a file. Raises InputError when it is no training set, or one of another version."""
    if text is None:
        raise InputError("is not a training set", "make one with xtal data build", path)
    metadata: dict[str, str] = json.loads(text)
    version = metadata.pop("version")
    if version != FORMAT_VERSION:
        problem = f"has version {version} of the format, this program reads version {FORMAT_VERSION}"
        raise InputError(problem, _REMEDY, path)
    return metadata
