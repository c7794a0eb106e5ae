"""Fits the prototype table to collections of structures.

Structures that can be of one type (same composition without its elements, Pearson symbol, space group and orbit sizes)
form a family. In each family members are laid over a reference; those that fit make an entry, which becomes the
reference for a second round, so that the entry lies in the middle of its members. Whoever is left starts the next
entry, first with a narrow tolerance, then with a wide one. An entry needs members of three formulas, and pymatgen's
StructureMatcher must match it with most of them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np

from xtal_core.errors import StructureError
from xtal_core.progress import Progress, SilentProgress
from xtal_prototype.aggregation import aggregate, as_reference
from xtal_prototype.alignment import Alignment, Tolerance, align, orbit_sizes
from xtal_prototype.library import Refusal
from xtal_prototype.prototype_label import label_of_cell
from xtal_prototype.reading import parse_cell, reduced_formula
from xtal_prototype.sources import RawStructure, count_structures, find_files, iterate_structures
from xtal_prototype.standard_cell import StandardCell, standardise
from xtal_prototype.table import PrototypeEntry, read_entries, write_entries
from xtal_prototype.template import anonymous_key_of_atoms

#: Narrow first: entries in the middle of dense groups; then wide: what scatters around them. The wide one is about
#: what pymatgen's StructureMatcher accepts by default.
TOLERANCES = (Tolerance(length=0.08, angle=4.0, rms=0.08), Tolerance(length=0.2, angle=5.0, rms=0.2))
FEWEST_FORMULAS = 3
FEWEST_MATCHES = 0.5
#: Members tested against their entry, evenly spread.
_MOST_TESTED = 40
#: Å, as in the Materials Project: deviations of single members from the symmetry of their type do not matter here.
_SYMMETRY_PRECISION = 0.1

#: Anonymous composition, Pearson symbol, space group, orbit sizes of the species.
FamilyKey = tuple[str, str, int, tuple[tuple[int, ...], ...]]


@dataclass(frozen=True, eq=False)
class Member:
    """A structure that may help to make an entry; `digest` identifies it."""

    digest: bytes
    formula: str
    label: str
    cell: StandardCell


@dataclass
class FitReport:
    """What a fit was made from, and how much it made.

    Attributes
    ----------
    structures
        How many were read.
    entries
        How many the table has.
    aggregated
        How many structures are members of an entry.
    refusals
        What could not be used, and why.
    """

    structures: int
    entries: int
    aggregated: int
    refusals: list[Refusal]


def fit_table(out: Path, tables: Iterable[Path], progress: Progress | None = None) -> FitReport:
    """Write the prototype table of the structures in `tables` to `out`.

    An interrupted fit leaves finished families in a file beside `out`, ".partial" appended; the next call reads the
    structures again, takes over every family whose members are the same and removes the file at the end.

    Raises InputError for tables that cannot be read.
    """
    progress = progress or SilentProgress()
    families, refusals = read_families(tables, progress)
    partial = out.with_name(out.name + ".partial")
    entries: list[PrototypeEntry] = []
    with closing(sqlite3.connect(partial)) as finished:
        finished.execute(
            "CREATE TABLE IF NOT EXISTS families (key TEXT PRIMARY KEY, digest BLOB NOT NULL, entries BLOB NOT NULL)"
        )
        for key in progress.track(sorted(families), "structure types", len(families)):
            digest = _digest(families[key])
            row = finished.execute(
                "SELECT entries FROM families WHERE key = ? AND digest = ?", (repr(key), digest)
            ).fetchone()
            if row is None:
                row = (_pack(fit_family(families[key])),)
                with finished:
                    finished.execute("INSERT OR REPLACE INTO families VALUES (?, ?, ?)", (repr(key), digest, *row))
            entries += _unpack(row[0])
    with out.open("wb") as file:
        write_entries(file, sorted(entries, key=lambda entry: (entry.anonymous, -entry.n_members, entry.label)))
    partial.unlink()
    n_structures = sum(len(members) for members in families.values())
    return FitReport(n_structures, len(entries), sum(entry.n_members for entry in entries), refusals)


def read_families(
    tables: Iterable[Path], progress: Progress | None = None
) -> tuple[dict[FamilyKey, list[Member]], list[Refusal]]:
    """Return the structures of `tables` by family, and those that cannot be used.

    A structure that several tables hold under the same name counts once.
    """
    files = find_files(tables)
    families: dict[FamilyKey, list[Member]] = defaultdict(list)
    refusals: list[Refusal] = []
    seen: set[str] = set()
    raws = iterate_structures(files)
    for raw in (progress or SilentProgress()).track(raws, "structures", count_structures(files)):
        if raw.source in seen:
            continue
        seen.add(raw.source)
        try:
            member = _read_member(raw)
        except (StructureError, ValueError) as error:
            refusals.append(Refusal(raw.source, raw.digest, str(error)))
            continue
        cell = member.cell
        pearson = member.label.split("_")[1]
        families[anonymous_key_of_atoms(cell.numbers), pearson, cell.space_group, orbit_sizes(cell)].append(member)
    return families, refusals


def fit_family(members: Sequence[Member]) -> list[PrototypeEntry]:
    """Return the entries that the members of one family make, the largest groups of equal labels first."""
    frequency = Counter(member.label for member in members)
    remaining = sorted(members, key=lambda member: (-frequency[member.label], member.label, member.formula))
    entries: list[PrototypeEntry] = []
    for tolerance in TOLERANCES:
        used: set[int] = set()
        for leader in remaining:
            candidates = [member for member in remaining if id(member) not in used]
            if len({member.formula for member in candidates}) < FEWEST_FORMULAS:
                break
            if id(leader) in used:
                continue
            found = _entry_around(leader, candidates, tolerance)
            if found is not None:
                entries.append(found[0])
                used |= found[1]
        remaining = [member for member in remaining if id(member) not in used]
    return entries


def _entry_around(
    leader: Member, candidates: Sequence[Member], tolerance: Tolerance
) -> tuple[PrototypeEntry, set[int]] | None:
    """Return the entry of the candidates that fit `leader`, and the identities of its members."""
    around_leader = _aggregate(leader.cell, _lay_over(leader.cell, candidates, tolerance))
    if around_leader is None:
        return None
    centre = as_reference(around_leader, leader.cell)
    members = _lay_over(centre, candidates, tolerance)
    entry = _aggregate(centre, members)
    if entry is None:
        return None
    rate = match_rate(entry, [alignment for _, alignment in members])
    if rate < FEWEST_MATCHES:
        return None
    return replace(entry, match_rate=rate), {id(member) for member, _ in members}


def _lay_over(
    reference: StandardCell, candidates: Sequence[Member], tolerance: Tolerance
) -> list[tuple[Member, Alignment]]:
    alignments = [(member, align(reference, member.cell, tolerance)) for member in candidates]
    return [(member, alignment) for member, alignment in alignments if alignment is not None]


def _aggregate(reference: StandardCell, members: Sequence[tuple[Member, Alignment]]) -> PrototypeEntry | None:
    formulas = [member.formula for member, _ in members]
    if len(set(formulas)) < FEWEST_FORMULAS:
        return None
    labels = Counter(member.label for member, _ in members)
    label = min(labels, key=lambda text: (-labels[text], text))
    return aggregate(reference, [alignment for _, alignment in members], formulas, label)


def match_rate(entry: PrototypeEntry, members: Sequence[Alignment]) -> float:
    """Return which share of `members` pymatgen's StructureMatcher matches with `entry`.

    The entry is given each member's elements by the alignment: one decoration of those that an anonymous comparison
    would try.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

    matcher = StructureMatcher(primitive_cell=False)
    tested = [members[i] for i in np.unique(np.linspace(0, len(members) - 1, _MOST_TESTED).astype(int))]
    matches = [
        matcher.fit(
            Structure(entry.lattice * abs(np.linalg.det(member.lattice)) ** (1 / 3), numbers, entry.fractional),
            Structure(member.lattice, numbers, member.fractional),
        )
        for member in tested
        for numbers in [member.numbers.tolist()]
    ]
    return float(np.mean(matches))


def _read_member(raw: RawStructure) -> Member:
    cell = standardise(*parse_cell(raw.cif), precision=_SYMMETRY_PRECISION)
    return Member(raw.digest, reduced_formula(cell), label_of_cell(cell), cell)


def _digest(members: Iterable[Member]) -> bytes:
    return hashlib.blake2b(b"".join(sorted(member.digest for member in members)), digest_size=16).digest()


def _pack(entries: Sequence[PrototypeEntry]) -> bytes:
    if not entries:
        return b""
    buffer = BytesIO()
    write_entries(buffer, entries)
    return buffer.getvalue()


def _unpack(data: bytes) -> list[PrototypeEntry]:
    return read_entries(BytesIO(data)) if data else []
