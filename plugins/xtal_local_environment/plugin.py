"""Manifest of the metrics made of local environments of atoms.

How close is "the same": a strain of 1 % puts a structure of MP-20 at 0.03 to 0.05 from itself by SOAP, 0.02 to 0.025 by
ACSF. Of 686 pairs of MP-20 with one formula that StructureMatcher tells apart, 36 % (SOAP) and 55 % (ACSF) are closer
than the thresholds: averaged environments say how alike structures are rather than whether they are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xtal_core.hookspecs import PluginRecord, hookimpl
from xtal_core.options import option

KERNEL_HELP = "average: compare the mean environments; rematch: the best soft pairing of environments"
ALPHA_HELP = "rematch: how soft the pairing is; small values pair each environment with its most similar one"
SAME_HELP = "structures this close are called the same"


@dataclass(frozen=True)
class SOAPOptions:
    """Options of the smooth overlap of atomic positions."""

    r_cut: float = option(4.5, "radius of an environment", unit="Å", bounds=(1.5, 20.0))
    n_max: int = option(8, "radial functions", bounds=(1, 20))
    l_max: int = option(6, "highest degree of the spherical harmonics", bounds=(0, 19))
    sigma: float = option(0.3, "width of the Gaussian that an atom is smeared to", unit="Å", bounds=(0.05, 3.0))
    kernel: Literal["average", "rematch"] = option("average", KERNEL_HELP)
    alpha: float = option(0.5, ALPHA_HELP, bounds=(0.2, 1000.0))
    same_below: float = option(0.05, SAME_HELP, bounds=(0.0, 2.0))


@dataclass(frozen=True)
class ACSFOptions:
    """Options of the atom-centred symmetry functions."""

    r_cut: float = option(6.0, "radius of an environment", unit="Å", bounds=(1.5, 20.0))
    radial: int = option(8, "radial Gaussians, spread evenly up to r_cut", bounds=(1, 100))
    kernel: Literal["average", "rematch"] = option("average", KERNEL_HELP)
    alpha: float = option(0.5, ALPHA_HELP, bounds=(0.2, 1000.0))
    same_below: float = option(0.03, SAME_HELP, bounds=(0.0, 2.0))


@hookimpl
def xtal_metrics() -> list[PluginRecord]:
    """Return SOAP and ACSF."""
    return [
        PluginRecord(
            "soap",
            "smooth overlap of atomic positions: distance of the environments' kernel (needs dscribe)",
            "xtal_local_environment.soap:SOAPMetric",
            interface=1,
            options=SOAPOptions,
        ),
        PluginRecord(
            "acsf",
            "atom-centred symmetry functions: distance of the environments' kernel (needs dscribe)",
            "xtal_local_environment.acsf:ACSFMetric",
            interface=1,
            options=ACSFOptions,
        ),
    ]
