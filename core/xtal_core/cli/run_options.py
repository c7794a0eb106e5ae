"""Arguments and options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xtal_core.readers.patterns import AxisChoice

# The pattern
PatternFile = Annotated[Path, typer.Argument(help="Powder pattern: .xy, .xye, .csv, .chi or powder CIF.")]
Wavelength = Annotated[
    str | None, typer.Option("--wavelength", "-w", help="CuKa, CuKa1, MoKa, … or Å; needed if not in the file.")
]
Axis = Annotated[AxisChoice, typer.Option("--axis", help="What the first column is.")]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="FROM:TO", help="Region in degrees 2θ that does not count; may be repeated."),
]
Blank = Annotated[
    Path | None,
    typer.Option("--blank", metavar="FILE", help="Pattern of the empty container or the solvent, to be subtracted."),
]
BackgroundTerms = Annotated[
    int | None,
    typer.Option("--background-terms", metavar="N", help="Terms of the fitted background.", show_default="automatic"),
]

# The sample
Size = Annotated[float | None, typer.Option("--size", help="Crystallite size in Å, when known.")]
Robust = Annotated[
    bool, typer.Option("--robust", help="Other phases may be there: intensity far above the fit counts less.")
]

# The method
RefinerName = Annotated[str, typer.Option("--refiner", help="How structures are refined; none to skip it.")]
SimulatorName = Annotated[str, typer.Option("--simulator", help="What calculates patterns.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PLUGIN.OPTION=VALUE", help="An option of a plugin (xtal plugins --options)."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Where randomness starts.")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processor cores to use.", show_default="all")]

# The result
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the results.", show_default="PATTERN-solution")
]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier result in that folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print the full result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]

#: Where a result goes and how it is shown is not part of the run that a run file repeats.
OUTPUT_FLAGS = ("--out", "--force", "--json", "--quiet")
