"""Which measure to use for what, in plain words: standing advice, filled in with what a correlation study found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from xtal_study.correlation_study import FOUND, Agreement, Behaviour, CorrelationStudy
from xtal_study.pairs import DISPLACED, EXPANDED, SAME_TYPE
from xtal_study.text_tables import estimate_text, markdown_table, percent
from xtal_study.views import SEPARATOR

_Item = TypeVar("_Item", Agreement, Behaviour)


def advice(study: CorrelationStudy) -> str:
    """Return a table of what each metric responds to, and a list of questions with the measure that answers them."""
    rows = []
    for measured in study.ordered:
        behaviour = study.behaviour(measured.name)
        shares = [percent(*behaviour.same.get(kind, (0, 0))) for kind in (EXPANDED, SAME_TYPE)]
        follows = [estimate_text(c.spearman) for c in (behaviour.follows_noise, behaviour.follows_strain)]
        rows.append([measured.name, *shares, *follows])
    headers = ["metric", "other volume: same", "other elements: same", "follows displacement", "follows strain"]
    questions = [_is_it_right(study), _how_far_off(study), _same_type(study), _duplicates(study), _any_change(study)]
    questions += [
        "**Is a structure right, when the data are all there is?** A comparison of patterns (`pattern-…`), or with a "
        "measured G(r) (`pdf-…`): no other can be computed without knowing the answer.",
        "**Never** average several of these numbers, or compare their thresholds: they measure different things.",
    ]
    return (
        '"Same" is the share of copies of another volume, and of isostructural compounds of other elements, that the '
        'metric calls the same structure at its default threshold; "follows" is Spearman\'s correlation with the size '
        f"of what was done to copies.\n\n{markdown_table(headers, rows)}\n"
        + "".join(f"- {question}\n" for question in questions if question)
    )


def _is_it_right(study: CorrelationStudy) -> str:
    reference = study.references[0]
    best = _best(_over(study, reference, FOUND), lambda a: a.separation)
    closest = "" if best is None else f" Closest to it without tolerances: {_separating(best)}."
    return (
        f"**Is a solved structure right?** `{reference}`, whose verdict asks what a chemist asks: the same atoms in "
        "the same places, whatever the cell, its volume and a small strain. Quote its tolerances with it. Where there "
        f"is no match, it does not say how wrong the structure is.{closest}"
    )


def _how_far_off(study: CorrelationStudy) -> str:
    reference = study.references[0]
    best = _best(_over(study, reference, DISPLACED), lambda a: a.correlation.pearson.value)
    if best is None:
        return ""
    return (
        f"**How far are the atoms off?** The value of `{reference}` where there is a match. Where there is none, "
        f"`{best.column}`, which follows it best when atoms are displaced and nothing else is done (Pearson "
        f"{estimate_text(best.correlation.pearson)})."
    )


def _same_type(study: CorrelationStudy) -> str:
    reference = study.references[-1]
    # Views may win here: leaving out elements or volume is what the question asks for.
    best = _best(_over(study, reference, FOUND), lambda a: a.separation, views=True)
    if reference == study.references[0] or best is None:
        return ""
    return (
        f"**The same structure type, whatever the elements?** `{reference}`, or {_separating(best)}. Measures in Å "
        "need both structures scaled to one volume first: otherwise the size of the atoms decides, not the geometry."
    )


def _duplicates(study: CorrelationStudy) -> str:
    names = [measured.name for measured in study.measured]
    if not {"amd", "pdd"} <= set(names) or SAME_TYPE not in study.behaviour("pdd").same:
        return ""
    return (
        "**Are entries of a database duplicates?** `amd` first, because it is quick and never above `pdd`; `pdd` for "
        "what it leaves. Both ignore elements: "
        f"`pdd` calls {percent(*study.behaviour('pdd').same[SAME_TYPE])} of isostructural compounds of other elements "
        "the same. Compare formulas as well."
    )


def _any_change(study: CorrelationStudy) -> str:
    judges = {name.partition(SEPARATOR)[0] for name in study.references}
    continuous = [b for b in study.behaviours if b.column not in judges]
    noise = _best(continuous, lambda b: b.follows_noise.spearman.value)
    strain = _best(continuous, lambda b: b.follows_strain.spearman.value)
    if noise is None or strain is None:
        return ""
    others = "" if noise.column == strain.column else f"`{noise.column}` "
    return (
        "**Has anything changed at all (temperature, pressure, a phase transition)?** A continuous measure: "
        f"`{strain.column}` follows strain best (Spearman {estimate_text(strain.follows_strain.spearman)}), and "
        f"{others}displacements ({estimate_text(noise.follows_noise.spearman)}). Read its number beside those of known "
        "changes, which `xtal study sensitivity` makes of any structure."
    )


def _over(study: CorrelationStudy, reference: str, scope: str) -> list[Agreement]:
    return [a for a in study.agreements if a.reference == reference and a.scope == scope]


def _best(items: Iterable[_Item], key: Callable[[_Item], float | None], views: bool = False) -> _Item | None:
    """Return the item with the highest key, if any has one; columns that are views of a metric only where `views`."""
    chosen = [(value, item) for item in items if (value := key(item)) is not None]
    chosen = [(value, item) for value, item in chosen if views or SEPARATOR not in item.column]
    return max(chosen, key=lambda pair: pair[0])[1] if chosen else None


def _separating(agreement: Agreement) -> str:
    return f"`{agreement.column}` (separation {agreement.separation:.3f})"
