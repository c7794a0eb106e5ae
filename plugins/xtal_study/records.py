"""Studies as JSON: figures over many pairs, no structures and no names of structures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import xtal_core
from xtal_core.provenance import package_versions
from xtal_core.registry import Registry
from xtal_study.columns import Measured
from xtal_study.correlation_study import PUBLISHED, CorrelationStudy
from xtal_study.pairs import KINDS
from xtal_study.sensitivity_cases import MODIFICATIONS
from xtal_study.sensitivity_study import SensitivityStudy
from xtal_study.study_runs import CorrelationRequest, Request


def made_from(request: Request, measured: Sequence[Measured], registry: Registry) -> dict[str, Any]:
    """Return what a study depends on: versions, sources by their file names, seed, options of every metric."""
    record: dict[str, Any] = {
        "xtal": xtal_core.__version__,
        "packages": package_versions(),
        "sources": [path.name for path in request.sources],
        "limit": request.limit,
        "seed": request.seed,
        "metrics": {},
    }
    if isinstance(request, CorrelationRequest):
        record |= {"pairs_of_a_kind": request.pairs, "resamples": request.resamples}
        record["candidates"] = None if request.candidates is None else request.candidates.name
    for one in measured:
        metric = one.column.metric
        offer = registry.offer("metric", metric)
        options = registry.options("metric", metric, request.settings.get(metric))
        record["metrics"][metric] = {
            "distribution": offer.distribution,
            "version": offer.version,
            "options": {} if options is None else asdict(options),
        }
    return record


def correlation_record(study: CorrelationStudy, origin: dict[str, Any]) -> dict[str, Any]:
    """Return everything about `study` that is not about a single pair; `origin` is what `made_from` returned."""
    return {
        "made_from": origin,
        "published": PUBLISHED,
        "structures": study.structures,
        "refused": len(study.refusals),
        "unavailable": dict(study.unavailable),
        "pairs": {kind: study.pair_set.count(kind) for kind in KINDS},
        "columns": [_column_record(measured) for measured in study.measured],
        "agreements": [asdict(agreement) for agreement in study.agreements],
        "behaviours": [asdict(behaviour) for behaviour in study.behaviours],
    }


def sensitivity_record(study: SensitivityStudy, origin: dict[str, Any]) -> dict[str, Any]:
    """Return everything about `study` that is not about a single structure; `origin` as above."""
    symmetry = {m.name: study.symmetry_kept(m.name) for m in MODIFICATIONS}
    return {
        "made_from": origin,
        "refused": len(study.refusals),
        "unavailable": dict(study.unavailable),
        "structures": study.structures,
        "symmetry_kept": {name: {"structures": n, "kept": kept} for name, (kept, n) in symmetry.items()},
        "columns": [_column_record(measured) for measured in study.measured],
        "responses": [asdict(response) for response in study.responses],
        "equivalences": [asdict(equivalence) for equivalence in study.equivalences],
    }


def json_text(record: Mapping[str, Any]) -> str:
    """Return `record` as JSON, each item of a list on a line of its own, numbers to six digits, infinities as null."""
    parts = []
    for key, value in record.items():
        if isinstance(value, list):
            text = "[\n" + ",\n".join(f"  {_dumped(item)}" for item in value) + "\n ]"
        else:
            text = json.dumps(_rounded(value), indent=1, ensure_ascii=False).replace("\n", "\n ")
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _dumped(value: Any) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False, allow_nan=False)


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _column_record(measured: Measured) -> dict[str, Any]:
    return {
        "column": measured.name,
        "unit": measured.unit,
        "better": measured.better,
        "same_below": measured.same_below,
        "failed": len(measured.failures),
    }
