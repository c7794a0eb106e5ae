"""Protostructure labels: what isostructural crystals have in common, written as one word.

ABC3_cP5_221_a_b_c is a perovskite: anonymous formula, Pearson symbol, space group number, and for each species the
Wyckoff letters of its sites (2a: two sites on positions a). The notation is that of AFLOW (Mehl et al., Comput. Mater.
Sci. 136, S1, 2017). Labels are canonical: species are sorted by their amounts and letters, not by their elements, so
that fluorite and antifluorite are one type; and of the letters that other origins and axes would give, the first in the
alphabet are taken (Goodall et al., Sci. Adv. 8, eabn4117, 2022, whose relabelling table comes with pymatgen).
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from functools import cache
from importlib.resources import files

from xtal_core.errors import PluginError
from xtal_prototype.standard_cell import StandardCell

_LABEL = re.compile(r"((?:[A-Z]\d*)+)_([amothc][PCFIR]\d+)_(\d+)((?:_(?:\d*[a-zA-Z])+)+)")
_CRYSTAL_FAMILIES = ((2, "a"), (15, "m"), (74, "o"), (142, "t"), (194, "h"), (230, "c"))

#: Amount of a species in the formula, and the Wyckoff letters of its sites.
_Species = tuple[int, list[str]]


def label_of_cell(cell: StandardCell) -> str:
    """Return the protostructure label of a standard cell."""
    number_of_orbit = dict(zip(cell.orbits.tolist(), cell.numbers.tolist(), strict=True))
    letters: dict[int, list[str]] = {}
    for orbit, letter in enumerate(cell.wyckoffs):
        letters.setdefault(number_of_orbit[orbit], []).append(letter)
    counts = Counter(cell.numbers.tolist())
    species = [(counts[number] // cell.z_primitive, sites) for number, sites in letters.items()]
    family = next(symbol for last, symbol in _CRYSTAL_FAMILIES if cell.space_group <= last)
    # A- and C-centred cells are the same lattice in two settings, and share a Pearson symbol.
    centring = "C" if cell.centring == "A" else cell.centring
    n_conventional = len(cell.numbers) * cell.conventional_multiplicity
    return _canonical(species, f"{family}{centring}{n_conventional}", cell.space_group)


def canonical_label(label: str) -> str:
    """Return the canonical form of a protostructure label.

    Raises ValueError when the text is not a protostructure label.
    """
    parts = _LABEL.fullmatch(label.strip())
    if parts is None or not 1 <= int(parts[3]) <= 230:
        raise ValueError(f"'{label}' is not a protostructure label such as ABC3_cP5_221_a_b_c")
    formula, pearson, space_group, sites = parts.groups()
    amounts = [int(amount or 1) for amount in re.findall(r"[A-Z](\d*)", formula)]
    letters = [
        [letter for count, letter in re.findall(r"(\d*)([a-zA-Z])", species) for _ in range(int(count or 1))]
        for species in sites[1:].split("_")
    ]
    if len(amounts) != len(letters):
        raise ValueError(f"'{label}' names {len(amounts)} species and the sites of {len(letters)}")
    return _canonical(list(zip(amounts, letters, strict=True)), pearson, int(space_group))


def _canonical(species: list[_Species], pearson: str, space_group: int) -> str:
    written = min(
        sorted((amount, _ranks(letters, relabelling)) for amount, letters in species)
        for relabelling in _relabellings(space_group)
    )
    formula = "".join(
        f"{chr(ord('A') + rank)}{amount if amount > 1 else ''}" for rank, (amount, _) in enumerate(written)
    )
    return "_".join([formula, pearson, str(space_group), *(_write_sites(ranks) for _, ranks in written)])


def _ranks(letters: list[str], relabelling: dict[str, str]) -> list[tuple[bool, str]]:
    """Return the relabelled letters in alphabetical order; position A of space group 47 comes after z."""
    return sorted((relabelled.isupper(), relabelled) for relabelled in (relabelling.get(x, x) for x in letters))


def _write_sites(ranks: list[tuple[bool, str]]) -> str:
    counts = Counter(letter for _, letter in ranks)
    return "".join(f"{count if count > 1 else ''}{letter}" for letter, count in counts.items())


@cache
def _relabellings(space_group: int) -> list[dict[str, str]]:
    """Return the permutations of Wyckoff letters that a change of origin or axes can cause."""
    return [
        {chr(int(code)): letter for code, letter in table.items()} for table in _all_relabellings()[str(space_group)]
    ]


@cache
def _all_relabellings() -> dict[str, list[dict[str, str]]]:
    # Importing `pymatgen.analysis.prototypes` for its table would take seconds.
    path = files("pymatgen.analysis") / "prototypes" / "wyckoff-position-relabelings.json.gz"
    try:
        return json.loads(gzip.decompress(path.read_bytes()))
    except OSError:
        raise PluginError("prototype", f"{path} is missing; install the pinned version of pymatgen") from None
