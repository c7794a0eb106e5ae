"""From sources to studies: reads, draws or modifies, measures, and sums up."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xtal_core.errors import InputError, OptionError
from xtal_core.progress import Progress, SilentProgress
from xtal_core.registry import Registry
from xtal_study.columns import Bench, ColumnStore, check_settings, measure, simulator_for, usable_metrics
from xtal_study.correlation_study import CorrelationStudy, find_agreements, find_behaviour
from xtal_study.pairs import draw_pairs
from xtal_study.sensitivity_cases import make_cases
from xtal_study.sensitivity_study import SensitivityStudy, find_equivalence, find_responses, measure_cases
from xtal_study.sources import Entry, Known, Refusal, find_candidates, find_entries, read_entries
from xtal_study.views import SEPARATOR, Column, parse_columns

#: Columns besides the plain metrics where none are named. What they say without elements, volume or both explains most
#: of the differences between them; StructureMatcher always ignores the volume, PDD and AMD always ignore elements.
EXPLAINING = (
    "structure-matcher@one-element",
    "pdf-rw@geometry",
    "pdf-pcc@geometry",
    "pdd@same-volume",
    "amd@same-volume",
)

#: What the others are compared with.
REFERENCES = ("structure-matcher", "structure-matcher@one-element")

#: Streams of random numbers that must not depend on each other.
_SAMPLING, _RESAMPLING = 1, 2


@dataclass(frozen=True)
class Request:
    """What both kinds of study are asked with.

    Attributes
    ----------
    sources
        Structure files, folders of them, tables.
    metrics
        Columns as users name them (METRIC or METRIC@VIEW); empty for the default.
    settings
        {metric: {option: value}}.
    limit
        Structures drawn at random from the sources; None for all.
    seed
        Where all randomness starts.
    simulator
        What calculates patterns for metrics that compare these.
    jobs
        Processes.
    folder
        Where finished columns are kept; None keeps nothing.
    """

    sources: tuple[Path, ...]
    metrics: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limit: int | None = None
    seed: int = 0
    simulator: str = "powder"
    jobs: int = 1
    folder: Path | None = None


@dataclass(frozen=True)
class CorrelationRequest(Request):
    """What a correlation study is asked with besides.

    Attributes
    ----------
    candidates
        Folder of predictions for the structures of the sources; None for none.
    references
        Columns that the others are compared with.
    pairs
        Most pairs of each kind.
    resamples
        Of the bootstrap.
    """

    candidates: Path | None = None
    references: tuple[str, ...] = ()
    pairs: int = 500
    resamples: int = 1000


def study_correlations(
    request: CorrelationRequest, registry: Registry, progress: Progress | None = None
) -> CorrelationStudy:
    """Return how every metric agrees with the references over the pairs that they match.

    Finished columns are kept in the folder of the request, and not computed again. Raises InputError for sources that
    cannot be read and without pairs, OptionError for names and options that do not exist.
    """
    progress = progress or SilentProgress()
    references = parse_columns(request.references or _among(REFERENCES, registry.offers["metric"]), registry)
    if not references:
        raise OptionError(f"{REFERENCES[0]} is not installed", "name what to compare with: --against METRIC")
    chosen, unavailable = _columns(request, registry, EXPLAINING)
    columns = list(dict.fromkeys([*references, *chosen]))
    check_settings(request.settings, columns)
    bench = _bench(columns, request, registry, progress)
    own = find_entries(request.sources)
    candidates = [] if request.candidates is None else find_candidates(request.candidates, own)
    wanted = {candidate.reference for candidate in candidates}
    entries = [*_sample(own, request, wanted), *candidates]
    known, refusals = _read(entries, request, progress)
    if len(known) < 2:
        reason = f" ({refusals[0].name}: {refusals[0].reason})" if refusals else ""
        raise InputError(f"only {known[0].name} can be used{reason}", "give at least two structures")
    pair_set = draw_pairs(known, request.pairs, request.seed)
    if not pair_set.pairs:
        raise InputError("no pairs can be made of the structures", "give more of them")
    measured = measure(columns, pair_set.structures, [(pair.first, pair.second) for pair in pair_set.pairs], bench)
    names = [reference.name for reference in references]
    seed = request.seed + _RESAMPLING
    return CorrelationStudy(
        pair_set=pair_set,
        measured=tuple(measured),
        references=tuple(names),
        agreements=tuple(find_agreements(pair_set, measured, names, request.resamples, seed)),
        behaviours=tuple(find_behaviour(pair_set, one, request.resamples, seed) for one in measured),
        structures=len(known),
        refusals=tuple(refusals),
        unavailable=unavailable,
    )


def study_sensitivity(request: Request, registry: Registry, progress: Progress | None = None) -> SensitivityStudy:
    """Return what every metric says to every modification of each structure; otherwise as `study_correlations`."""
    progress = progress or SilentProgress()
    columns, unavailable = _columns(request, registry, ())
    check_settings(request.settings, columns)
    bench = _bench(columns, request, registry, progress)
    known, refusals = _read(_sample(find_entries(request.sources), request, set()), request, progress)
    cases, unmodified = make_cases(known, request.seed, request.jobs, progress)
    if not cases:
        raise InputError(f"{unmodified[0].name}: {unmodified[0].reason}")
    measured = measure_cases(columns, cases, bench)
    responses = [find_responses(cases, one) for one in measured]
    return SensitivityStudy(
        cases=tuple(cases),
        measured=tuple(measured),
        responses=tuple(response for of_column in responses for response in of_column),
        equivalences=tuple(find_equivalence(one.name, found) for one, found in zip(measured, responses, strict=True)),
        refusals=(*refusals, *unmodified),
        unavailable=unavailable,
    )


def _columns(request: Request, registry: Registry, explaining: Sequence[str]) -> tuple[list[Column], dict[str, str]]:
    """Return the columns to compute, and {metric: why not} of those that cannot be created here."""
    if request.metrics:
        return parse_columns(request.metrics, registry), {}
    usable, unavailable = usable_metrics(registry, request.settings, request.simulator)
    return parse_columns([*usable, *_among(explaining, usable)], registry), unavailable


def _among(columns: Iterable[str], metrics: Container[str]) -> list[str]:
    """Return those of `columns` whose metric is one of `metrics`."""
    return [name for name in columns if name.partition(SEPARATOR)[0] in metrics]


def _sample(entries: Sequence[Entry], request: Request, wanted: set[str]) -> list[Entry]:
    """Return the structures that take part, in order: all `wanted` ones, and as many others as the limit allows."""
    if request.limit is None or len(entries) <= request.limit:
        return list(entries)
    order = np.random.default_rng([request.seed, _SAMPLING]).permutation(len(entries))
    ranked = sorted(order.tolist(), key=lambda index: entries[index].name not in wanted)
    return [entries[index] for index in sorted(ranked[: max(request.limit, len(wanted))])]


def _read(entries: Sequence[Entry], request: Request, progress: Progress) -> tuple[list[Known], list[Refusal]]:
    known, refusals = read_entries(entries, request.jobs, progress)
    if not known:
        raise InputError(f"no structure can be used: {refusals[0].reason}")
    names = {one.name for one in known}
    orphans = [one for one in known if one.reference and one.reference not in names]
    refusals += [Refusal(one.name, f"its reference {one.reference} takes no part") for one in orphans]
    return [one for one in known if one not in orphans], refusals


def _bench(columns: Sequence[Column], request: Request, registry: Registry, progress: Progress) -> Bench:
    return Bench(
        registry=registry,
        settings=request.settings,
        simulator=simulator_for(columns, registry, request.settings, request.simulator),
        jobs=request.jobs,
        progress=progress,
        store=ColumnStore(request.folder),
    )
