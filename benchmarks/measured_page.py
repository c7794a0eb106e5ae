"""The page about solved measured patterns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from missed_structures import misses_table
from result_pages import markdown_table, met, time_text
from solution_run import making_text, searched
from structure_ranks import TOLERANCES

SETS = {
    "xred": "Laboratory patterns of XRED (Cao et al.), with the published structures",
    "rruff": "Minerals of RRUFF (Lafuente et al. 2015), with the Materials Project's structures: calculated cells, "
    "1–3 % off in length, and ideal compositions",
    "nano": "IrO2 nanoparticles of deCIFer's experimental set; no structure comes with them. They are of rutile type, "
    "with which the candidates are compared (P4₂/mnm, a = 4.50 Å, c = 3.15 Å, O at x = 0.31)",
}

#: True structures that the project wants to see first, of how many, by set and whether they are as if new.
AIMS = {
    ("xred", False): 11,
    ("xred", True): 8,
    ("rruff", False): 24,
    ("rruff", True): 16,
    ("nano", False): 2,
}

#: The sample of nanoparticles whose size is known, and that in Å.
NANOPARTICLES, NANOPARTICLE_SIZE = "IrO2_3nm_30minXRD", 30

#: Samples whose lattice parameters are to agree with the published ones, and how well.
ACCURATE, ACCURACY = ("Al2O3", "PbSO4", "Zr"), 0.002

WORDS = ("solved", "ambiguous", "not solved")

#: A first sketch of the search, with a library of mp20/train and mp52_extra: patterns, first, in three, in ten.
SKETCH = {"xred": (12, 7, 9, 10), "rruff": (27, 18, 21, 25)}


EXPLANATION = """\
Told to the solver: the raw file, the formula, and Cu Kα (α1 and α2). Not told: the cell, its content (Z), the space
group, the crystallite size. The rank is that of the first candidate that pymatgen's StructureMatcher calls the
published structure, with tolerances 0.3, 0.5 and 10° (match) or 0.2, 0.3 and 5° (strict), looked up after ranking; –
where none of the candidates is. Rwp is the conventional factor, background included; the size is 2π over the integral
breadth of the peaks as far as it is constant in Q: that of the size, the Gaussian and the Lorentzian together, the
instrument's part included unless that was refined by itself.

"""


NEW = """\
No structure of the formula itself is used, be it of the library or of pymatgen's AFLOW collection. The prototype table
that comes with the package is: its types blend at least three formulas each, of which the sample's may be one.

"""

MISSES = """\
Where the published structure (match) is not the first candidate: its rank with its R²wp and merit (the lower ranks
first), beside those of the first; or, where it is not listed, whether it is among what the search hands to the
refinement, and what refining that proposal by itself comes to; or that it was never proposed.

"""

NANO = """\
In rutile IrO2 oxygen is at x = 0.31 and 1.97 Å from iridium. The size includes the instrument's part, which is small
beside that of such crystals.

"""


def result_page(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of the page about a result."""
    name = record["set"]
    new = ", compounds as if new" if record["new"] else ""
    yield f"# {name}: measured patterns{new}, {searched(record['making'])}\n\n{SETS[name]}.\n\n"
    if record["new"]:
        yield NEW
    yield EXPLANATION
    yield _sample_table(record["rows"])
    if record["totals"]["match"]["n"]:
        yield "\n## True structure found\n\n"
        yield _total_table(record)
        yield "\n## The verdict\n\n"
        yield _verdict_table(record["rows"])
    if name == "xred":
        yield "\n## Lattice parameters\n\n"
        yield _lattice_table(record["rows"])
    if name == "nano":
        yield "\n## The first candidates as crystals\n\n"
        yield NANO
        yield _crystal_table(record["rows"])
    if record["misses"]:
        yield "\n## Where it fails\n\n"
        yield MISSES
        yield misses_table(record["misses"])
    if record["failures"]:
        yield "\n## Failures\n\n"
        yield "".join(f"- {sample}: {reason}\n" for sample, reason in record["failures"].items())
    yield "\n## Time\n\n"
    yield time_text(record["times"])
    yield "\n## How it was made\n\n"
    yield making_text(record["making"])


def _sample_table(rows: Sequence[Mapping[str, Any]]) -> str:
    headers = ("material", "formula", "points", "true space group", "first candidate", "its cell", "R²wp", "Rwp")
    return markdown_table(
        (*headers, "size (Å)", "verdict", "probability", "rank (match)", "rank (strict)", "seconds"),
        [
            (
                row["name"],
                row["formula"],
                row["points"],
                _group(row["space_group"]),
                _group(row["first"] and row["first"]["space_group"]),
                row["first"] and f"{row['first']['z']:g} {row['first']['formula']}",
                row["first"] and f"{row['first']['r2wp']:.4f}",
                _number(row["first"] and row["first"]["rwp"], ".1%"),
                _number(row["first"] and row["first"]["size"], ".0f"),
                row["verdict"] and row["verdict"]["word"],
                _number(row["verdict"] and row["verdict"]["probability"], ".2f"),
                *("" if row["ranks"] is None else row["ranks"][kind] or "–" for kind in TOLERANCES),
                f"{row['seconds']:.1f}",
            )
            for row in rows
        ],
    )


def _verdict_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how probable the first candidates were called, and how many are right, by the word of the verdict."""
    judged = [
        row for row in rows if row["ranks"] is not None and row["verdict"] and row["verdict"]["probability"] is not None
    ]
    words = [word for word in WORDS if any(row["verdict"]["word"] == word for row in judged)]
    groups = {word: [row for row in judged if row["verdict"]["word"] == word] for word in words} | {"all": judged}
    return markdown_table(
        ("verdict", "patterns", "mean probability", "first (match)"),
        [
            (
                word,
                len(group),
                f"{fmean(row['verdict']['probability'] for row in group):.2f}",
                sum(row["ranks"]["match"] == 1 for row in group),
            )
            for word, group in groups.items()
            if group
        ],
    )


def _lattice_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the lattice parameters of the matching candidates beside the published ones."""
    table = markdown_table(
        ("material", "published (Å, °)", "refined", "largest difference of a length", "aim"),
        [
            (
                row["name"],
                " ".join(f"{value:g}" for value in row["lattice"]["published"]),
                " ".join(f"{value:.4f}" for value in row["lattice"]["refined"]),
                f"{row['lattice']['deviation']:.3%}",
                _accuracy(row) if row["name"] in ACCURATE else None,
            )
            for row in rows
            if row["lattice"] is not None
        ],
    )
    missing = [row["name"] for row in rows if row["name"] in ACCURATE and row["lattice"] is None]
    without = f"\nNo candidate matches {' and '.join(missing)}: the aim is not met there.\n" if missing else ""
    return f"Of the first candidate that matches, in the published setting.\n\n{table}{without}"


def _accuracy(row: Mapping[str, Any]) -> str:
    return f"{ACCURACY:.1%}: {met(row['lattice']['deviation'] <= ACCURACY)}"


def _total_table(record: Mapping[str, Any]) -> str:
    rows: list[Sequence[object]] = [(kind, *total.values()) for kind, total in record["totals"].items()]
    if record["set"] in SKETCH and not record["new"]:
        rows.append(("a crude first sketch (match), with mp52_extra too", *SKETCH[record["set"]]))
    table = markdown_table(("", "patterns", "first", "in three", "in ten"), rows)
    aim = AIMS.get((record["set"], record["new"]))
    if aim is None:
        return table
    total = record["totals"]["match"]
    reached = met(total["first"] >= aim)
    return f"{table}\nThe aim is at least {aim} first (match): {total['first']} of {total['n']}, **{reached}**.\n"


def _crystal_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what tells whether the first candidates are sound."""
    return markdown_table(
        ("material", "shortest contact (Å)", "x of oxygen in rutile", "size (Å)", "nominal size (Å)"),
        [
            (
                row["name"],
                row["geometry"] and f"{row['geometry']['contact']:.2f} {row['geometry']['elements']}",
                _number(row["geometry"] and row["geometry"]["oxygen_x"], ".3f"),
                row["first"] and _size(row["first"]),
                NANOPARTICLE_SIZE if row["name"] == NANOPARTICLES else None,
            )
            for row in rows
        ],
    )


def _size(first: Mapping[str, Any]) -> str | None:
    uncertainty = first["size_uncertainty"]
    value = _number(first["size"], ".0f")
    return value if uncertainty is None else f"{value} ± {uncertainty:.0f}"


def _number(value: float | None, notation: str) -> str | None:
    return None if value is None else format(value, notation)


def _group(group: Mapping[str, Any] | None) -> str:
    return "" if group is None else f"{group['symbol']} ({group['number']})"
