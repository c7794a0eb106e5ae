"""`xtal data`: builds training sets and fetches public structures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xtal_training.building import BuildReport

app = typer.Typer(
    help="Build training sets, fetch public structures.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

#: Kinds of reasons shown; all are in the list of what was left out.
SHOWN_REASONS = 8


@app.command()
def build(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="CIF files, folders of CIF, CSV(.gz) with a column cif.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Training set to write (.safetensors).")],
    max_atoms: Annotated[
        int | None, typer.Option(min=1, help="Leave out primitive cells with more atoms. Default: take all.")
    ] = None,
    simulator: Annotated[str, typer.Option(help="What calculates the sticks of the patterns.")] = "powder",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Build a training set: reduced cells and the sticks of their patterns.

    Nothing is computed twice: an interrupted call can be repeated, and of sources that changed only what is new is
    worked on. What cannot be taken is counted by reason, and listed in a .csv beside the training set.
    """
    from xtal_core.errors import OptionError
    from xtal_core.progress_display import progress_display
    from xtal_training.building import BuildReport, BuildRequest, build_training_set
    from xtal_training.crystal_cache import cache_path
    from xtal_training.sources import find_sources

    if out.suffix != ".safetensors":
        raise OptionError(f"--out is {out}", "give a name that ends in .safetensors")
    if not out.parent.is_dir():
        raise OptionError(f"there is no folder {out.parent}", "make it, or choose another --out")
    report = BuildReport()
    request = BuildRequest(find_sources(sources), max_atoms, simulator, jobs, cache_path())
    with progress_display(quiet) as progress:
        built = build_training_set(request, report, progress)
    built.save(out)
    listing = out.with_name(f"{out.stem}.left-out.csv")
    _write_left_out(report, listing)
    if not quiet:
        typer.echo(f"{out}: {report.taken} crystals; {report.made} structures worked on, {report.known} known before")
        for line in _reasons(report, listing):
            typer.echo(line, err=True)


def _write_left_out(report: BuildReport, path: Path) -> None:
    """Write what was left out, with name, place and reason; no file when that is nothing."""
    import csv

    if not report.left_out:
        path.unlink(missing_ok=True)
        return
    draft = path.with_name(f".{path.name}.part")
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "place", "reason"])
        writer.writerows([each.name, each.place, each.reason] for each in report.left_out)
    draft.replace(path)


def _reasons(report: BuildReport, listing: Path) -> list[str]:
    """Return lines that count what was left out by kind of reason."""
    if not report.left_out:
        return []
    # Reasons differ by numbers and names: their words are the kind.
    kinds = Counter(" ".join(word for word in each.reason.split() if word.isalpha()) for each in report.left_out)
    examples = {" ".join(word for word in each.reason.split() if word.isalpha()): each for each in report.left_out}
    lines = [f"{len(report.left_out)} left out, listed in {listing}:"]
    for kind, count in kinds.most_common(SHOWN_REASONS):
        lines.append(f"  {count} × e.g. {examples[kind].name}: {examples[kind].reason}")
    if len(kinds) > SHOWN_REASONS:
        lines.append(f"  and {len(kinds) - SHOWN_REASONS} other reasons")
    return lines


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Public data set: mp20.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the files. Default: the name of the set.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Fetch from this folder of a mirror instead.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Fetch the files of a public data set, or check those that are here.

    Interrupted downloads go on where they were. The SHA-256 of each file is recorded at first, and verified from then
    on.
    """
    from xtal_core.errors import OptionError
    from xtal_core.progress_display import progress_display
    from xtal_core.suggest import suggest
    from xtal_training.public_data import PUBLIC_SETS, fetch_public_set

    if name not in PUBLIC_SETS:
        raise OptionError(f"there is no public data set '{name}'", suggest(name, PUBLIC_SETS, "there are"))
    public = PUBLIC_SETS[name]
    if not quiet:
        typer.echo(public.about)
    with progress_display(quiet) as progress:
        for file in fetch_public_set(public, out or Path(name), url, progress):
            if not quiet:
                record = file.record
                typer.echo(f"{file.path}: {record.rows} structures, {record.bytes} bytes, SHA-256 {record.sha256}")
                typer.echo(f"  {file.state}")
