"""What is to be solved: a pattern and everything known about the sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import gcd, inf

from xtal_core.errors import InputError
from xtal_core.pattern import FloatArray, Pattern


@dataclass(frozen=True)
class Formula:
    """A reduced chemical formula with integer amounts.

    `amounts` maps atomic symbols to integers without a common divisor, in the order of the formula as it was given.
    """

    amounts: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, text: str) -> tuple[Formula, int]:
        """Return the reduced formula written in `text` and how many times the text holds it.

        Raises InputError for unknown elements, fractional or zero amounts.
        """
        from pymatgen.core import Composition, Element

        remedy = "write it like TiO2 or Ca3(PO4)2, with whole numbers"
        if not text or not text.strip():
            raise InputError("the formula is empty", remedy)
        try:
            composition = Composition(text.strip())
        except Exception as error:
            raise InputError(f"'{text}' is not a chemical formula ({error})", remedy) from None
        amounts: dict[str, int] = {}
        for species, amount in composition.items():
            symbol = str(getattr(species, "symbol", species))
            if not Element.is_valid_symbol(symbol):
                raise InputError(f"'{symbol}' in '{text}' is not an element", remedy)
            if amount <= 0 or abs(amount - round(amount)) > 1e-6:
                raise InputError(f"'{text}' holds {amount:g} of {symbol}", remedy)
            amounts[symbol] = amounts.get(symbol, 0) + round(amount)
        if not amounts:
            raise InputError(f"'{text}' holds no element", remedy)
        factor = reduce(gcd, amounts.values())
        return cls(tuple((symbol, amount // factor) for symbol, amount in amounts.items())), factor

    def __str__(self) -> str:
        return "".join(f"{symbol}{amount if amount > 1 else ''}" for symbol, amount in self.amounts)

    @property
    def n_atoms(self) -> int:
        """Atoms in one formula unit."""
        return sum(amount for _, amount in self.amounts)


@dataclass(frozen=True, eq=False)
class Problem:
    """A structure to be solved.

    Attributes
    ----------
    pattern
        The measured pattern.
    formula
        Reduced formula of the sample.
    z
        Formula units in the cell, primitive or conventional; None when unknown.
    lattice : (3, 3) Å, optional
        Lattice vectors as rows, when the cell is known.
    space_group
        International number, when known.
    crystallite_size
        Å, when known.
    robust
        Whether the sample may hold other phases: refiners then let intensity far above the calculated pattern count
        less, see `xtal_core.robust_weights`.
    """

    pattern: Pattern
    formula: Formula
    z: int | None = None
    lattice: FloatArray | None = None
    space_group: int | None = None
    crystallite_size: float | None = None
    robust: bool = False

    def __post_init__(self) -> None:
        if self.z is not None and self.z < 1:
            raise InputError(f"z is {self.z}", "give the number of formula units in the cell, at least 1")
        if self.crystallite_size is not None and not 0 < self.crystallite_size < inf:
            raise InputError(f"the crystallite size is {self.crystallite_size:g} Å", "give a positive size in Å")
        if self.space_group is not None and not 1 <= self.space_group <= 230:
            raise InputError(f"space group {self.space_group} does not exist", "give a number from 1 to 230")
