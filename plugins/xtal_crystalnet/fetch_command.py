"""`xtal densities`: fetches charge densities of the Materials Project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)

#: Reasons why materials were not fetched that are shown.
SHOWN = 8


@app.command()
def densities(
    materials: Annotated[
        list[str],
        typer.Argument(metavar="MATERIAL...", help="Ids like mp-149, or training sets, for all in them."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the files.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Fetch charge densities of DFT from the Materials Project, as CHGCAR files to train crystalnet with.

    Needs the package mp-api and the key of your account in MP_API_KEY. Files that are there stay: an interrupted call
    can be repeated.
    """
    from xtal_core.errors import XtalError
    from xtal_core.progress_display import progress_display
    from xtal_core.training_set import TrainingSet
    from xtal_crystalnet.materials_project import fetch_densities

    ids: dict[str, None] = {}
    for material in materials:
        is_set = material.endswith(".safetensors")
        ids |= dict.fromkeys(TrainingSet.load(Path(material)).names if is_set else [material])
    with progress_display(quiet) as progress:
        fetched = fetch_densities(ids, out, progress=progress)
    if not quiet:
        typer.echo(f"{out}: {len(fetched.written)} densities fetched, {len(fetched.present)} were there")
        if fetched.failures:
            typer.echo(f"{len(fetched.failures)} could not be fetched:", err=True)
        for name, reason in list(fetched.failures.items())[:SHOWN]:
            typer.echo(f"  {name}: {reason}", err=True)
    if fetched.failures and not fetched.written and not fetched.present:
        raise XtalError(f"none of {len(fetched.failures)} densities could be fetched")
