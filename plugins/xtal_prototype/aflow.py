"""The AFLOW collection of prototypes that comes with pymatgen, as templates.

Mehl et al., Comput. Mater. Sci. 136, S1 (2017). The collection is read from pymatgen's data file: importing
`pymatgen.analysis.prototypes` for it would take seconds.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from xtal_core.errors import PluginError
from xtal_prototype.prototype_label import label_of_cell
from xtal_prototype.standard_cell import standardise
from xtal_prototype.template import Template, anonymous_key_of_atoms


def aflow_templates(anonymous: str, z: int | None = None) -> list[Template]:
    """Return the prototypes of an anonymous composition.

    `z` formula units may be those of the primitive or of the conventional cell; None takes all.

    Raises PluginError when the installed pymatgen has no such collection.
    """
    return [
        template
        for template in _templates(anonymous)
        if z is None or z in (template.z_primitive, template.z_conventional)
    ]


@cache
def _templates(anonymous: str) -> tuple[Template, ...]:
    records = _records().get(anonymous, [])
    return tuple(_template(record, anonymous, 1 / len(records)) for record in records)


@cache
def _records() -> dict[str, list[dict[str, Any]]]:
    """Return the whole collection, as pymatgen stores it, by anonymous composition."""
    path = files("pymatgen.analysis") / "prototypes" / "aflow_prototypes.json.gz"
    try:
        records = json.loads(gzip.decompress(path.read_bytes()))
    except OSError:
        raise PluginError("prototype", f"{path} is missing; install the pinned version of pymatgen") from None
    by_composition: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        numbers = [_atomic_number(site) for site in record["snl"]["sites"]]
        by_composition[anonymous_key_of_atoms(numbers)].append(record)
    return dict(by_composition)


def _template(record: dict[str, Any], anonymous: str, weight: float) -> Template:
    sites = record["snl"]["sites"]
    cell = standardise(
        np.array(record["snl"]["lattice"]["matrix"]),
        np.array([site["abc"] for site in sites]),
        [_atomic_number(site) for site in sites],
    )
    return Template(
        label=label_of_cell(cell),
        source=f"AFLOW {record['tags']['aflow']}",
        anonymous=anonymous,
        lattice=cell.lattice,
        fractional=cell.fractional,
        numbers=cell.numbers,
        orbits=cell.orbits,
        space_group=cell.space_group,
        z_primitive=cell.z_primitive,
        z_conventional=cell.z_conventional,
        n_members=1,
        weight=weight,
    )


def _atomic_number(site: dict[str, Any]) -> int:
    from gemmi import Element

    return Element(site["species"][0]["element"]).atomic_number
