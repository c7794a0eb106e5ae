"""The prototype table that ships with the package: aggregated structure types, scaled to the formula at hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_prototype.atomic_volumes import expected_volume
from xtal_prototype.template import Template, anonymous_key_of_atoms

PROTOTYPE_TABLE = "prototypes.npz"

#: What a table file holds once for each entry; arrays of different lengths are concatenated.
_COLUMNS = {
    "space_group": np.uint8,
    "z_primitive": np.uint8,
    "z_conventional": np.uint8,
    "lattice": np.float64,
    "volume_ratio": np.float32,
    "n_members": np.uint16,
    "n_formulas": np.uint16,
    "match_rate": np.float16,
    "length_spread": np.float16,
    "angle_spread": np.float16,
    "volume_spread": np.float16,
}


@dataclass(frozen=True, eq=False)
class PrototypeEntry:
    """A structure type, aggregated over its members.

    Attributes
    ----------
    label
        Protostructure label.
    space_group, z_primitive, z_conventional
        As in `Template`.
    lattice : (3, 3)
        Rows, standard primitive cell, one unit of volume.
    fractional : (n_atoms, 3)
    species : (n_atoms,)
        Index, from 0, of the species on each atom.
    orbits : (n_atoms,)
        As in `Template`.
    site_species
        For each species, how many members have which atomic number there.
    volume_ratio
        Cell volume over `expected_volume` of what it holds.
    n_members, n_formulas
        Structures, and different formulas, that were aggregated.
    match_rate
        Share of the members tested that pymatgen's StructureMatcher matches with this entry.
    length_spread : (3,)
        Relative spread (1.48 times the median absolute deviation) of the lengths of the lattice vectors.
    angle_spread : (3,) degrees
        Spread of the cell angles.
    volume_spread
        Relative spread of `volume_ratio`.
    coordinate_spread : (n_atoms, 3)
        Spread of the fractional coordinates.
    """

    label: str
    space_group: int
    z_primitive: int
    z_conventional: int
    lattice: FloatArray
    fractional: FloatArray
    species: IntArray
    orbits: IntArray
    site_species: tuple[Mapping[int, int], ...]
    volume_ratio: float
    n_members: int
    n_formulas: int
    match_rate: float
    length_spread: FloatArray
    angle_spread: FloatArray
    volume_spread: float
    coordinate_spread: FloatArray

    @property
    def typical_numbers(self) -> IntArray:
        """(n_atoms,) atomic numbers with the most frequent element of each species, all different."""
        chosen: dict[int, int] = {}
        for species in sorted(range(len(self.site_species)), key=lambda s: -max(self.site_species[s].values())):
            counts = self.site_species[species]
            free = [number for number in counts if number not in chosen.values()]
            # Every element of this species may be taken already; any other keeps the species apart.
            free = free or [number for number in range(1, 119) if number not in chosen.values()]
            chosen[species] = max(free, key=lambda number: (counts.get(number, 0), -number))
        return np.array([chosen[species] for species in self.species.tolist()])

    @property
    def anonymous(self) -> str:
        """Key of the composition; see `anonymous_key`."""
        return anonymous_key_of_atoms(self.species)


class PrototypeTable:
    """Aggregated structure types, by anonymous composition."""

    def __init__(self, entries: Sequence[PrototypeEntry]):
        self.entries = tuple(entries)
        self._by_composition: dict[str, list[PrototypeEntry]] = defaultdict(list)
        for entry in sorted(entries, key=lambda entry: -entry.n_members):
            self._by_composition[entry.anonymous].append(entry)

    def templates(
        self, anonymous: str, z: int | None = None, amounts: Mapping[int, int] | None = None
    ) -> list[Template]:
        """Return the templates of an anonymous composition, the most frequent types first.

        Parameters
        ----------
        anonymous
            See `anonymous_key`.
        z
            Formula units in the primitive or in the conventional cell; None takes all.
        amounts
            Atoms of each atomic number in one formula unit, for which cells are scaled to the expected volume.
            Without it they are scaled for each type's typical elements.
        """
        known = self._by_composition.get(anonymous, [])
        total = sum(entry.n_members for entry in known)
        return [
            _template(entry, anonymous, amounts, entry.n_members / total)
            for entry in known
            if z is None or z in (entry.z_primitive, entry.z_conventional)
        ]

    def templates_of_size(self, n_atoms: int) -> list[Template]:
        """Return the templates with `n_atoms` atoms in the primitive cell, whatever their composition."""
        return [
            _template(entry, anonymous, None, entry.n_members / sum(other.n_members for other in known))
            for anonymous, known in self._by_composition.items()
            for entry in known
            if len(entry.species) == n_atoms
        ]

    def formula_units(self, anonymous: str) -> list[int]:
        """Return which numbers of formula units in the conventional cell occur, the most frequent first."""
        members: dict[int, int] = defaultdict(int)
        for entry in self._by_composition.get(anonymous, []):
            members[entry.z_conventional] += entry.n_members
        return sorted(members, key=lambda z: -members[z])


@cache
def embedded_table() -> PrototypeTable:
    """Return the table that ships with the package."""
    with as_file(files("xtal_prototype") / "data" / PROTOTYPE_TABLE) as path:
        return PrototypeTable(read_entries(path))


def read_entries(file: Path | BinaryIO) -> list[PrototypeEntry]:
    """Return the entries of a table file."""
    with np.load(file, allow_pickle=False) as archive:
        table = {name: archive[name] for name in archive.files}
    atoms = _slices(table["n_atoms"])
    species = _slices(table["n_species"])
    elements = _slices(table["n_elements"])
    columns = {name: values.tolist() for name, values in table.items() if values.ndim == 1}
    fractional, spread = table["fractional"].astype(float), table["coordinate_spread"].astype(float)
    lengths, angles = table["length_spread"].astype(float), table["angle_spread"].astype(float)
    return [
        PrototypeEntry(
            label=columns["label"][i],
            space_group=columns["space_group"][i],
            z_primitive=columns["z_primitive"][i],
            z_conventional=columns["z_conventional"][i],
            lattice=table["lattice"][i],
            fractional=fractional[atoms[i]],
            species=table["species"][atoms[i]].astype(int),
            orbits=table["orbits"][atoms[i]].astype(int),
            site_species=tuple(
                dict(zip(columns["element"][elements[s]], columns["count"][elements[s]], strict=True))
                for s in range(species[i].start, species[i].stop)
            ),
            volume_ratio=columns["volume_ratio"][i],
            n_members=columns["n_members"][i],
            n_formulas=columns["n_formulas"][i],
            match_rate=columns["match_rate"][i],
            length_spread=lengths[i],
            angle_spread=angles[i],
            volume_spread=columns["volume_spread"][i],
            coordinate_spread=spread[atoms[i]],
        )
        for i in range(len(columns["label"]))
    ]


def write_entries(file: BinaryIO, entries: Sequence[PrototypeEntry]) -> None:
    """Write a table file: the same entries give the same bytes, and nothing in it is executable."""
    elements = [counts for entry in entries for counts in entry.site_species]
    columns: dict[str, Any] = {
        name: np.array([getattr(entry, name) for entry in entries], kind) for name, kind in _COLUMNS.items()
    }
    np.savez_compressed(
        file,
        label=np.array([entry.label for entry in entries]),
        **columns,
        n_atoms=np.array([len(entry.species) for entry in entries], np.uint16),
        n_species=np.array([len(entry.site_species) for entry in entries], np.uint8),
        n_elements=np.array([len(counts) for counts in elements], np.uint8),
        fractional=np.concatenate([entry.fractional for entry in entries]).astype(np.float32),
        coordinate_spread=np.concatenate([entry.coordinate_spread for entry in entries]).astype(np.float16),
        species=np.concatenate([entry.species for entry in entries]).astype(np.uint8),
        orbits=np.concatenate([entry.orbits for entry in entries]).astype(np.uint8),
        element=np.array([number for counts in elements for number in sorted(counts)], np.uint8),
        count=np.array([counts[number] for counts in elements for number in sorted(counts)], np.uint16),
    )


def _template(entry: PrototypeEntry, anonymous: str, amounts: Mapping[int, int] | None, weight: float) -> Template:
    numbers = entry.typical_numbers
    if amounts is None:
        content = {number: int(count) for number, count in zip(*np.unique(numbers, return_counts=True), strict=True)}
    else:
        content = {number: amount * entry.z_primitive for number, amount in amounts.items()}
    species_of_orbit = dict(zip(entry.orbits.tolist(), entry.species.tolist(), strict=True))
    return Template(
        label=entry.label,
        source="prototype table",
        anonymous=anonymous,
        lattice=entry.lattice * (entry.volume_ratio * expected_volume(content)) ** (1 / 3),
        fractional=entry.fractional,
        numbers=numbers,
        orbits=entry.orbits,
        space_group=entry.space_group,
        z_primitive=entry.z_primitive,
        z_conventional=entry.z_conventional,
        n_members=entry.n_members,
        weight=weight,
        site_species=tuple(entry.site_species[species_of_orbit[orbit]] for orbit in range(len(species_of_orbit))),
    )


def _slices(counts: IntArray) -> list[slice]:
    """Return where the items of each entry are in a concatenated array."""
    ends = np.cumsum(counts.astype(int)).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
