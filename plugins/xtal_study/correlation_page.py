"""The page of a correlation study: what was compared, what came out, why, and which measure to use for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xtal_study.advice import advice
from xtal_study.correlation_study import ALL, COPIES, FOUND, PUBLISHED, Agreement, Behaviour, CorrelationStudy
from xtal_study.pairs import (
    CANDIDATE,
    DISPLACED,
    EXPANDED,
    EXPANSION,
    KINDS,
    NOISE,
    SAME_TYPE,
    STRAIN,
    STRAINED,
)
from xtal_study.text_tables import estimate_text, markdown_table, number_text, percent
from xtal_study.views import SEPARATOR, VIEWS

#: Reference values below this are called exact matches.
EXACT = 1e-3

FIGURES = "correlation-{}.png"


def correlation_page(study: CorrelationStudy, made_from: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    """Return the page in Markdown.

    `made_from` says what the study was made from (see `xtal_study.records`), `figures` names the image files:
    {name of a reference, or "kinds": file name}.
    """
    parts = [
        "# Which similarity measures agree with StructureMatcher\n",
        _how_it_was_made(study, made_from),
        "## Pairs\n",
        _pairs(study),
        "## The published correlations beside ours\n",
        published_tables(study),
        "## Why ours differ\n",
        _why(study),
        _image(figures.get("kinds"), "Pearson correlations by kind of pairs"),
        *(_image(figures.get(reference), f"values against {reference}") for reference in study.references),
        "## Verdicts\n",
        *(_verdicts(study, reference) for reference in study.references),
        "## Which measure to use for what\n",
        advice(study),
    ]
    return "\n".join(part for part in parts if part)


def _how_it_was_made(study: CorrelationStudy, made_from: Mapping[str, Any]) -> str:
    views = sorted({m.column.view for m in study.measured if m.column.view})
    explained = "".join(f" `{SEPARATOR}{view}` means {VIEWS[view].summary}." for view in views)
    unavailable = "".join(f" `{name}` is not here: {reason}." for name, reason in study.unavailable.items())
    return (
        f"Written by `xtal study correlate` (xtal {made_from['xtal']}, seed {made_from['seed']}). From "
        f"{', '.join(made_from['sources'])} {study.structures} structures were read and {len(study.refusals)} refused; "
        f"{len(study.pair_set.structures)}, copies included, take part in {len(study.pair_set.pairs)} pairs. "
        'Correlations are over *matched* pairs, those to which the reference gives a value; its "no match" is never '
        "replaced by a number. Brackets are 95 % bootstrap intervals; pairs that share a structure, a formula or a "
        f"type are drawn together.{explained}{unavailable}\n"
    )


def _pairs(study: CorrelationStudy) -> str:
    headers = ["kind", "what", "pairs", *(f"matched by {name}" for name in study.references)]
    rows = []
    for kind, meaning in KINDS.items():
        if number := study.pair_set.count(kind):
            of_kind = np.array([pair.kind == kind for pair in study.pair_set.pairs])
            matched = [int(np.isfinite(study.column(r).values[of_kind]).sum()) for r in study.references]
            rows.append([kind, meaning, number, *matched])
    copies = (
        f"Sizes are drawn evenly on a logarithmic scale: displacements of {NOISE[0]:g} to {NOISE[1]:g} (V/N)^(1/3), "
        f"strains of {100 * STRAIN[0]:g} to {100 * STRAIN[1]:g} %, volume changes of {100 * EXPANSION[0]:g} to "
        f"{100 * EXPANSION[1]:g} %.\n"
    )
    return markdown_table(headers, rows, texts=2) + "\n" + copies


def _published(study: CorrelationStudy, reference: str) -> str:
    """Return the table of the four published metrics, and what else was computed from them."""
    scopes = [scope for scope in (ALL, FOUND, CANDIDATE, COPIES, DISPLACED) if scope in study.scopes()]
    columns = [m.name for m in study.ordered if m.column.metric in PUBLISHED]
    if not columns:
        return f"None of {', '.join(PUBLISHED)} was computed.\n"
    rows = []
    for name in columns:
        found = [study.agreement(reference, name, scope) for scope in scopes]
        rows.append([name, PUBLISHED.get(name), *(_pearson_text(agreement) for agreement in found)])
    counts = [_matched(study.agreement(reference, columns[0], scope)) for scope in scopes]
    headers = [
        "metric",
        "published",
        *(f"{scope} ({count} matched)" for scope, count in zip(scopes, counts, strict=True)),
    ]
    return f"Pearson correlation with `{reference}`:\n\n" + markdown_table(headers, rows)


def published_tables(study: CorrelationStudy) -> str:
    """Return the published correlations beside those of `study`, a table for each reference, in Markdown."""
    return "\n".join(_published(study, reference) for reference in study.references)


def _why(study: CorrelationStudy) -> str:
    """Return the reasons, each with the figures that show it; reasons without figures are left out."""
    return "".join(
        f"- {sentence}\n"
        for sentence in (
            "The published figures say neither which structures were compared, nor how the pairs were drawn, nor with "
            "which settings. A correlation depends on all three, most of all on the composition of the pairs.",
            _why_kinds(study),
            _why_volume(study),
            _why_strain(study),
            _why_elements(study),
            _why_exact(study),
        )
        if sentence
    )


def _why_kinds(study: CorrelationStudy) -> str:
    ranges = []
    for name in PUBLISHED:
        found = [a for a in study.agreements if a.column == name and a.scope in KINDS]
        values = [(a.correlation.pearson.value, a) for a in found if a.correlation.pearson.value is not None]
        if values:
            (low, worst), (high, best) = (pick(values, key=lambda pair: pair[0]) for pick in (min, max))
            ranges.append(f"`{name}` from {low:.2f} ({worst.scope}, {worst.reference}) to {high:.2f} ({best.scope})")
    return f"The kind of pairs decides: {'; '.join(ranges)}." if ranges else ""


def _why_volume(study: CorrelationStudy) -> str:
    expanded = [b for b in _telling(study) if EXPANDED in b.same]
    if not expanded:
        return ""
    medians = ", ".join(f"`{b.column}` {number_text(b.median_of_expanded)}" for b in expanded)
    changes = []
    for shown in (m for m in study.ordered if m.column.view in ("same-volume", "geometry")):
        reference = study.references[-1]
        before, after = (study.agreement(reference, name, FOUND) for name in (shown.column.metric, shown.name))
        if before and after and before.correlation.pearson.value is not None:
            changes.append(
                f"`{shown.column.metric}` {before.correlation.pearson.value:.2f}, `{shown.name}` {_pearson_text(after)}"
            )
    changed = f" Without volume, over {FOUND} with `{study.references[-1]}`: {'; '.join(changes)}." if changes else ""
    return (
        "StructureMatcher scales both structures to one volume before it measures, whatever their volumes are; the "
        "morphing of G(r) fits a stretch, but only within bounds; PDD and AMD do neither. Median values of copies that "
        f"differ in volume only: {medians}.{changed}"
    )


def _why_strain(study: CorrelationStudy) -> str:
    found = [b for b in _telling(study) if b.follows_strain.spearman.value is not None]
    if not found:
        return ""
    follows = ", ".join(f"`{b.column}` {b.follows_strain.spearman.value:.2f}" for b in found)
    same = ", ".join(f"`{b.column}` {percent(*b.same[STRAINED])}" for b in found)
    return (
        "StructureMatcher measures displacements on the average of both lattices, so that within its tolerances a "
        "strain costs nothing. Continuous measures see it, G(r) most of all: peaks move the more the further out they "
        "are, and a stretch undoes only the part of a strain that is alike in all directions. Spearman correlation "
        f"with the size of the strain of strained copies: {follows}. Share of strained copies that are called the "
        f"same: {same}."
    )


def _why_elements(study: CorrelationStudy) -> str:
    behaviours = [b for b in _telling(study) if SAME_TYPE in b.same]
    if not behaviours:
        return ""
    text = ", ".join(f"`{b.column}` {percent(*b.same[SAME_TYPE])}" for b in behaviours)
    return (
        "The slides describe StructureMatcher as ignoring elements; by default it compares them. Share of "
        f"isostructural compounds of other elements that are called the same structure: {text}."
    )


def _why_exact(study: CorrelationStudy) -> str:
    masks = np.array([pair.kind == SAME_TYPE for pair in study.pair_set.pairs])
    shares = []
    for reference in study.references:
        values = study.column(reference).values[masks]
        matched = values[np.isfinite(values)]
        if len(matched):
            shares.append(f"{percent(int((matched < EXACT).sum()), len(matched))} of {len(matched)} by `{reference}`")
    if not shares:
        return ""
    return (
        f"Types without free coordinates match exactly: the reference is below {EXACT:g} for {' and '.join(shares)} of "
        "the matched pairs of one type, where nothing is left to correlate with."
    )


def _verdicts(study: CorrelationStudy, reference: str) -> str:
    rows = []
    for measured in study.ordered:
        found = study.agreement(reference, measured.name, FOUND)
        if found is not None:
            area = "–" if found.separation is None else f"{found.separation:.3f}"
            same = percent(found.matched_same, found.matched), percent(found.unmatched_same, found.unmatched)
            rows.append([measured.name, *same, area])
    headers = ["metric", "of matched called the same", "of unmatched called the same", "separation"]
    return (
        f"Over {FOUND}, against `{reference}`. Separation is the probability that a matched pair is closer than an "
        "unmatched one: 1 is perfect, 0.5 chance, and no threshold enters.\n\n" + markdown_table(headers, rows)
    )


def _pearson_text(agreement: Agreement | None) -> str:
    return "–" if agreement is None else estimate_text(agreement.correlation.pearson)


def _telling(study: CorrelationStudy) -> list[Behaviour]:
    """Return the behaviours of the references and of the published metrics."""
    names = [m.name for m in study.ordered if m.name in study.references or m.name in PUBLISHED]
    return [study.behaviour(name) for name in names]


def _matched(agreement: Agreement | None) -> int:
    return 0 if agreement is None else agreement.matched


def _image(file: str | None, text: str) -> str:
    return f"![{text}]({file})\n" if file else ""
