"""The measured G(r) among the data, compared with their own structures and with wrong ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymatgen.core import Lattice, Structure

from data_sets import Material, data_file
from xtal_core.errors import InputError
from xtal_core.readers import read_structure
from xtal_pair_distribution.metrics import PearsonMetric, rw_metric
from xtal_pair_distribution.plugin import STRETCH_BETWEEN_STRUCTURES, PearsonOptions, RwOptions

#: A larger stretch than the metrics allow a measurement by default, which makes other substances fit, too.
LARGER_STRETCH = STRETCH_BETWEEN_STRUCTURES


@dataclass(frozen=True)
class Sample:
    """A measured G(r) and what it is compared with.

    Attributes
    ----------
    name
        What was measured.
    structure, measured
        Files of its structure and its G(r).
    common
        Well-known wrong structures: name, number of the space group, edge of the cubic cell in Å, and the elements at
        the origin and in the centre.
    from_table
        Wrong structures of `mp20/val`, of the same or a related type and of similar size.
    alike
        Other substances of `mp20/val` that are this structure to X-rays; shown, but not counted as wrong.
    """

    name: str
    structure: str
    measured: str
    common: Mapping[str, tuple[int, float, tuple[str, ...]]]
    from_table: tuple[str, ...]
    alike: tuple[str, ...] = ()


SAMPLES = (
    Sample(
        "Ni",
        "experimental/pdf/ni.cif",
        "experimental/pdf/ni-q27r60-xray.gr",
        {
            "Cu": (225, 3.615, ("Cu",)),
            "Al": (225, 4.050, ("Al",)),
            "Pd": (225, 3.891, ("Pd",)),
            "Pt": (225, 3.924, ("Pt",)),
            "α-Fe": (229, 2.867, ("Fe",)),
        },
        # NiAl, BeNi and TiFe of the CsCl type; TiC and CoO, whose metals are on the lattice of nickel
        ("mp-1487", "mp-1033", "mp-305", "mp-631", "mp-19079"),
        # CoNi3 and CrNi3, ordered on the lattice of nickel
        ("mp-1183751", "mp-1007974"),
    ),
    Sample(
        "NaCl",
        "experimental/pdf/NaCl.cif",
        "experimental/pdf/NaCl.gr",
        {
            "KCl": (225, 6.293, ("K", "Cl")),
            "LiF": (225, 4.026, ("Li", "F")),
            "MgO": (225, 4.212, ("Mg", "O")),
            "AgCl": (225, 5.549, ("Ag", "Cl")),
            "CsCl": (221, 4.123, ("Cs", "Cl")),
        },
        # GdS, ErSe, LuP, DyS and LiBr: the compounds of the rock salt type whose cells are most like that of NaCl
        ("mp-510402", "mp-2491", "mp-10192", "mp-2470", "mp-23259"),
    ),
)


def rank_measured(sample: Sample, materials: list[Material]) -> list[dict[str, Any]]:
    """Return values of both metrics between the measurement and the sample's structures, the best first.

    "own" is the sample's own structure, "wrong" one of the ten others.
    """
    candidates = [
        ("own", sample.name, sample.structure.rpartition("/")[2], read_structure(data_file(sample.structure)))
    ]
    candidates += [("wrong", name, "literature", _cubic(*cell)) for name, cell in sample.common.items()]
    for kind, ids in (("wrong", sample.from_table), ("alike", sample.alike)):
        candidates += [(kind, s.reduced_formula, name, s) for name, s in _from_table(ids, materials).items()]
    residual, correlation = rw_metric(RwOptions()), PearsonMetric(PearsonOptions())
    stretching = rw_metric(RwOptions(max_stretch=LARGER_STRETCH))
    data = correlation.read_item(data_file(sample.measured))
    features = residual.featurise([data, *(entry[-1] for entry in candidates)])
    measured, rows = features[0], []
    for (kind, name, source, _), feature in zip(candidates, features[1:], strict=True):
        morph = correlation.explain(feature, measured)
        rows.append(
            {
                "measured": sample.name,
                "kind": kind,
                "structure": name,
                "from": source,
                "pdf-rw": float(residual.compare([feature], [measured])[0, 0]),
                "pdf-pcc": float(correlation.compare([feature], [measured])[0, 0]),
                "pdf-rw stretching": float(stretching.compare([feature], [measured])[0, 0]),
                "stretch": morph["first onto second: stretch"],
                "smear": morph["first onto second: smear (Å)"],
                "damping": morph.get("first onto second: damping (Å⁻¹)", 0.0),
            }
        )
    return sorted(rows, key=lambda row: row["pdf-rw"])


def _from_table(ids: tuple[str, ...], materials: list[Material]) -> dict[str, Structure]:
    """Return the structures called `ids`. Raises InputError when one is missing."""
    cifs = {material.material_id: material.cif for material in materials}
    missing = [name for name in ids if name not in cifs]
    if missing:
        raise InputError(f"mp20/val lacks {', '.join(missing)}", "set XTAL_DATA to the folder with the data sets")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: Structure.from_str(cifs[name], fmt="cif") for name in ids}


def _cubic(spacegroup: int, edge: float, species: tuple[str, ...]) -> Structure:
    sites = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    return Structure.from_spacegroup(spacegroup, Lattice.cubic(edge), species, sites[: len(species)])
