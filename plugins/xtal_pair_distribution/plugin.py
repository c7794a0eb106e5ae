"""Manifest of the metrics made of pair distribution functions.

How close is "the same": measured G(r) of nickel and sodium chloride are matched by their own structures with Rw 0.11
and 0.14, and 0.2 is a usual limit for a good fit. Of the pairs of MP-20 with the same formula that StructureMatcher
tells apart, 7 % are nevertheless this close: mostly the same places with elements of similar numbers of electrons in
another order. Of those it matches, 15 % are: its tolerances forgive far more than the width of a peak. A correlation
distance of 0.01 is the same limit, since (1 − r)/2 is about Rw²/4 where both are small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option

#: Largest stretches of r unless the options say otherwise.
STRETCH_BETWEEN_STRUCTURES = 0.03
STRETCH_ONTO_MEASUREMENT = 0.01


@dataclass(frozen=True)
class PairDistributionOptions:
    """Options of both metrics: how G(r) is calculated, and how far it may be morphed.

    The range ends at 20 Å because the time for a G(r) goes with the cube of its length, while 30 Å would change the
    verdict on 2 % of the pairs of MP-20 with the same formula. Of those that StructureMatcher matches, nine in ten
    differ by less than 2.1 % in the cube root of the volume an atom: stretches of 3 % forgive that. A measurement is
    compared to find out which substance it is; its cell is then known to 1 %, and with 3 % copper passes for nickel.
    """

    morph: bool = option(True, "scale, stretch and smear one G(r) to resemble the other before comparing")
    max_stretch: float | None = option(
        None,
        f"largest stretch of r, as a fraction; none: {STRETCH_BETWEEN_STRUCTURES} between structures, "
        f"{STRETCH_ONTO_MEASUREMENT} where one side is measured",
        bounds=(0.0, 0.3),
    )
    max_smear: float = option(0.3, "largest standard deviation of the smear", unit="Å", bounds=(0.0, 2.0))
    r_min: float = option(1.0, "compare from here", unit="Å", bounds=(0.1, None))
    r_max: float = option(20.0, "compare up to here", unit="Å", bounds=(0.2, None))
    r_step: float = option(0.02, "step of calculated G(r)", unit="Å", bounds=(1e-4, 0.1))
    radiation: Literal["xray", "neutron"] = option("xray", "what scatters, where a file does not say")
    q_min: float = option(0.0, "start of the range of Q, where a file does not say", unit="Å⁻¹", bounds=(0.0, None))
    q_max: float | None = option(
        None, "end of the range of Q, where a file does not say; none is infinity", unit="Å⁻¹", bounds=(1.0, None)
    )
    q_damp: float | None = option(
        None,
        "resolution that damps G(r), where a file does not say; none: 0 between structures, fitted to a measurement",
        unit="Å⁻¹",
        bounds=(0.0, 0.3),
    )
    q_broad: float = option(
        0.0, "resolution that broadens peaks, where a file does not say", unit="Å⁻¹", bounds=(0.0, 0.3)
    )
    delta1: float = option(0.0, "correlated motion at high temperature", unit="Å", bounds=(0.0, None))
    delta2: float = option(0.0, "correlated motion at low temperature", unit="Å²", bounds=(0.0, None))
    u_iso: float = option(0.005, "mean squared displacement of atoms that bring none", unit="Å²", bounds=(1e-5, None))


@dataclass(frozen=True)
class RwOptions(PairDistributionOptions):
    """Options of `pdf-rw`."""

    form: Literal["symmetrised", "plain"] = option(
        "symmetrised", "plain: the first is the target, the second is morphed; symmetrised: neither is preferred"
    )
    same_below: float = option(0.2, "structures this close are called the same", bounds=(0.0, None))


@dataclass(frozen=True)
class PearsonOptions(PairDistributionOptions):
    """Options of `pdf-pcc`."""

    same_below: float = option(0.01, "structures this close are called the same", bounds=(0.0, None))


@hookimpl
def xtal_metrics() -> list[PluginRecord]:
    """Return both metrics."""
    return [
        PluginRecord(
            "pdf-rw",
            "pair distribution functions G(r), one morphed onto the other: weighted residual Rw",
            "xtal_pair_distribution.metrics:rw_metric",
            interface=1,
            options=RwOptions,
        ),
        PluginRecord(
            "pdf-pcc",
            "pair distribution functions G(r), one morphed onto the other: (1 − Pearson correlation)/2",
            "xtal_pair_distribution.metrics:PearsonMetric",
            interface=1,
            options=PearsonOptions,
        ),
    ]
