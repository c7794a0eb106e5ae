"""What comes out: candidate structures, how they score, and the ranked solution."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from xtal_core.measurement import Profile
from xtal_core.pattern import FloatArray

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from xtal_core.agreement_factors import AgreementFactors
    from xtal_core.problem import Problem
    from xtal_core.reflection_table import ReflectionTable
    from xtal_core.verdict import Verdict

#: The generator of a structure that the user gave.
GIVEN = "given"


@dataclass(frozen=True)
class Score:
    """A value and which way is better; `value` is None where the metric found nothing to compare ("no match")."""

    metric: str
    value: float | None
    better: Literal["lower", "higher"] = "lower"
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How well a least-squares refinement determined its parameters, from its normal matrix.

    Attributes
    ----------
    names
        Of all parameters: the structural ones, then those of the profile.
    directions : (6 + 3 n_atoms, n_structural)
        What each structural parameter does to the cell and the atoms of the candidate's structure, in the convention of
        `xtal_core.interfaces.DifferentiableSimulator.linearise`.
    covariance : (n_parameters, n_parameters)
        Of the parameters in the order of `names`, scale and background having been refined with them.
    reduced_chi_squared
        Σ w (obs − calc)² / (n_points − n_parameters), the weights being 1/σ²; None where σ is not known, and then the
        covariance takes its scale from the misfit.
    """

    names: tuple[str, ...]
    directions: FloatArray
    covariance: FloatArray
    reduced_chi_squared: float | None


@dataclass(frozen=True, eq=False)
class Fit:
    """How a candidate describes the pattern, on the measured points.

    Attributes
    ----------
    calculated, background : (n_points,)
        In the units of the measured intensity; `calculated` includes `background`, and that what the blank contributes.
    profile
        Refined profile parameters.
    scale
        Factor from simulated to measured intensity.
    residual
        R²wp = Σ w (obs − calc)² / Σ w (obs − background)², no square root; for its weights, which are not those that
        `calculated` was refined with where intensities are counts, scale and background are fitted anew.
    n_parameters
        How many parameters were varied.
    uncertainty
        Set by refinements that know how well their parameters are determined.
    blank_scale
        Factor by which the pattern's blank was multiplied; None where the pattern has none.
    converged
        Whether nothing was left to gain when the refinement ended; None where the refiner does not say.
    remarks
        What was done to the structure beyond least squares, each in a sentence: elements exchanged, atoms displaced.
    """

    calculated: FloatArray
    background: FloatArray
    profile: Profile
    scale: float
    residual: float
    n_parameters: int
    uncertainty: Uncertainty | None = None
    blank_scale: float | None = None
    converged: bool | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A structure proposed for a problem.

    Attributes
    ----------
    structure
        The proposal.
    generator
        Name of the generator that made it.
    origin
        What it was made from, in a few words (a prototype and the library entry, a latent seed, …).
    prior
        Natural logarithm of how much likelier than by chance the generator thinks its proposal is, an atom; 0 when it
        has no opinion. Ranking weighs it against ln R²wp.
    fit
        Set once the candidate was refined or compared with the pattern.
    details
        Anything else worth reporting, JSON-serialisable.
    """

    structure: Structure
    generator: str
    origin: str = ""
    prior: float = 0.0
    fit: Fit | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def with_fit(self, structure: Structure, fit: Fit) -> Candidate:
        """Return this candidate with a refined structure and its fit."""
        return replace(self, structure=structure, fit=fit)


@dataclass(frozen=True, eq=False)
class RankedCandidate:
    """A candidate at its place in the solution.

    Attributes
    ----------
    rank
        From 1.
    merit
        What the ranking sorted by, lower is better (see `xtal_core.ranking`).
    space_group
        International symbol and number of the refined structure.
    duplicates
        How many lower-ranked candidates were the same structure and merged into this one.
    reference_scores
        Set only when a reference was given, and only after ranking.
    agreement, reflections
        Agreement factors of the fit, and the reflections of the structure where the simulator lists them.
    """

    rank: int
    candidate: Candidate
    merit: float
    space_group: tuple[str, int]
    duplicates: int = 0
    reference_scores: tuple[Score, ...] = ()
    agreement: AgreementFactors | None = None
    reflections: ReflectionTable | None = None


@dataclass(frozen=True, eq=False)
class Solution:
    """The answer to a problem: candidates, best first, and how they were obtained.

    Attributes
    ----------
    notes
        What the user should know about how the answer came about.
    interrupted
        Whether the user stopped the work, so that only what was finished is here.
    verdict
        Whether the first candidate can be believed; None where structures were given instead of searched for.
    """

    problem: Problem
    ranked: tuple[RankedCandidate, ...]
    provenance: dict[str, Any]
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    verdict: Verdict | None = None
