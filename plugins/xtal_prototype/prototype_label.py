"""Protostructure labels: what isostructural crystals have in common, written as one word.

ABC3_cP5_221_a_b_c is a perovskite: anonymous formula, Pearson symbol, space group number, and for each species the
Wyckoff letters of its sites (2a: two sites on positions a). The notation is that of AFLOW (Mehl et al., Comput. Mater.
Sci. 136, S1, 2017). Species are sorted by their amounts and then by their letters, not by their elements, so that
fluorite and antifluorite are one type.
"""

from __future__ import annotations

import re
from collections import Counter

from xtal_prototype.standard_cell import StandardCell

_LABEL = re.compile(r"((?:[A-Z]\d*)+)_([amothc][PCFIR]\d+)_(\d+)((?:_(?:\d*[a-zA-Z])+)+)")
_CRYSTAL_FAMILIES = ((2, "a"), (15, "m"), (74, "o"), (142, "t"), (194, "h"), (230, "c"))


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
    return _join(species, f"{family}{centring}{n_conventional}", cell.space_group)


def sort_label(label: str) -> str:
    """Return a protostructure label with its species in this module's order.

    Raises ValueError when the text is not a protostructure label.
    """
    parts = _LABEL.fullmatch(label.strip())
    if parts is None:
        raise ValueError(f"'{label}' is not a protostructure label such as ABC3_cP5_221_a_b_c")
    formula, pearson, space_group, sites = parts.groups()
    amounts = [int(amount or 1) for amount in re.findall(r"[A-Z](\d*)", formula)]
    letters = [
        [letter for count, letter in re.findall(r"(\d*)([a-zA-Z])", species) for _ in range(int(count or 1))]
        for species in sites[1:].split("_")
    ]
    if len(amounts) != len(letters):
        raise ValueError(f"'{label}' names {len(amounts)} species and the sites of {len(letters)}")
    return _join(list(zip(amounts, letters, strict=True)), pearson, int(space_group))


def _join(species: list[tuple[int, list[str]]], pearson: str, space_group: int) -> str:
    written = sorted((amount, _write_sites(letters)) for amount, letters in species)
    formula = "".join(
        f"{chr(ord('A') + rank)}{amount if amount > 1 else ''}" for rank, (amount, _) in enumerate(written)
    )
    return "_".join([formula, pearson, str(space_group), *(sites for _, sites in written)])


def _write_sites(letters: list[str]) -> str:
    counts = Counter(letters)
    # Position A of space group 47 comes after z.
    ordered = sorted(counts, key=lambda letter: (letter.isupper(), letter))
    return "".join(f"{counts[letter] if counts[letter] > 1 else ''}{letter}" for letter in ordered)
