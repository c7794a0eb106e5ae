"""Isostructural search: decorate known structure types, screen them against the pattern, hand on the best."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from xtal_core.candidate import Candidate
from xtal_core.interfaces import Generator, Workbench
from xtal_core.pattern_features import peak_width
from xtal_core.problem import Problem
from xtal_core.target import make_target, starting_profile
from xtal_prototype.assignment import UNKNOWN_REPLACEMENT, Decoration, decorations, redistributions
from xtal_prototype.atomic_volumes import VOLUME_TABLE, element_volumes, expected_volume
from xtal_prototype.chemistry import SUBSTITUTION_TABLE, substitution_scores
from xtal_prototype.plugin import PrototypeOptions
from xtal_prototype.screening import Screened, screen
from xtal_prototype.table import PROTOTYPE_TABLE
from xtal_prototype.template import Template, anonymous_key
from xtal_prototype.templates import TemplateSources, used_library

#: Å⁻¹; smoothing of the pattern for screening, so that cells a few per cent off still overlap with it.
SCREENING_WIDTH = 0.1


class PrototypeGenerator(Generator):
    """Proposes known structure types decorated with the elements of the formula."""

    def __init__(self, options: PrototypeOptions) -> None:
        self.options = options

    def generate(self, problem: Problem, workbench: Workbench) -> list[Candidate]:
        """Return the decorated templates that describe the pattern best; see `Generator.generate`."""
        from pymatgen.core import Element, Structure

        amounts = {Element(symbol).Z: amount for symbol, amount in problem.formula.amounts}
        anonymous = anonymous_key(amounts.values())
        with TemplateSources(self.options) as sources:
            templates = sources.of_composition(amounts, problem.z)
            decorated = self._decorate(templates, amounts)
            for z in self._cell_sizes(templates, problem.z):
                decorated += self._redistribute(sources, amounts, z, problem.z)
        if problem.space_group is not None:
            decorated = [item for item in decorated if item.template.space_group == problem.space_group]
        if not decorated:
            return []
        pattern = problem.pattern
        target = make_target(pattern, SCREENING_WIDTH, peak_width(pattern), reflections_to=float(pattern.q[-1]))
        profile = starting_profile(pattern, problem.crystallite_size)
        volumes = np.array([_volume(decoration) for decoration in decorated])
        screened = screen(workbench, target, profile, decorated, volumes)
        return [
            Candidate(
                structure=Structure(
                    item.lattice, item.decoration.numbers.tolist(), item.decoration.template.fractional
                ),
                generator="prototype",
                origin=f"{item.decoration.template.label} ({item.decoration.template.source})",
                prior=item.decoration.likeness,
                details={
                    "prototype": item.decoration.template.label,
                    "source": item.decoration.template.source,
                    "screening_residual": item.residual,
                },
            )
            for item in self._select(screened, anonymous)
        ]

    def files(self) -> list[Path]:
        """Return the library that is searched and the tables of this package that are used; see `UsesFiles`."""
        path = used_library(self.options)
        tables = [VOLUME_TABLE, SUBSTITUTION_TABLE, *([PROTOTYPE_TABLE] if self.options.table else [])]
        shipped = [Path(str(files("xtal_prototype") / "data" / name)) for name in tables]
        return shipped if path is None else [path, *shipped]

    def _decorate(self, templates: Sequence[Template], amounts: dict[int, int]) -> list[Decoration]:
        """Return the likeliest decorations of every structure type."""
        by_type: dict[str, list[Decoration]] = defaultdict(list)
        for template in templates:
            by_type[template.label].extend(decorations(template, amounts, self.options.assignments))
        chosen = []
        for group in by_type.values():
            group.sort(key=lambda decoration: -decoration.likeness)
            chosen.extend(group[: self.options.members])
        chosen.sort(key=lambda decoration: -decoration.likeness)
        return chosen[: self.options.screened]

    def _cell_sizes(self, templates: Sequence[Template], z: int | None) -> list[int]:
        """Return the formula units of primitive cells worth trying, the most frequent first."""
        frequency: Counter[int] = Counter()
        for template in templates:
            frequency[template.z_primitive] += 1
        if z is not None:
            frequency[z] += len(templates) + 1
        return [size for size, _ in frequency.most_common(self.options.cell_sizes)]

    def _redistribute(
        self, sources: TemplateSources, amounts: dict[int, int], z: int, known_z: int | None
    ) -> list[Decoration]:
        """Return distributions of the elements over the orbits of types of another composition but the same size.

        `z` formula units are in the primitive cell; `known_z`, unless None, must be those of this or of the
        conventional cell.
        """
        n_atoms = z * sum(amounts.values())
        anonymous = anonymous_key(amounts.values())
        by_type: dict[str, list[Template]] = defaultdict(list)
        for template in sources.of_size(n_atoms):
            possible = known_z in (None, z, z * template.z_conventional // template.z_primitive)
            if possible and template.anonymous != anonymous and len(by_type[template.label]) < 40:
                by_type[template.label].append(template)
        scores = np.nan_to_num(substitution_scores()[:, list(amounts)], nan=UNKNOWN_REPLACEMENT)
        found = []
        for group in by_type.values():
            # The member whose elements could be replaced best, were the numbers of atoms of no concern.
            group.sort(key=lambda template: -scores[template.numbers].max(axis=1).mean())
            content = {number: amount * z for number, amount in amounts.items()}
            for template in group[: self.options.redistributed_members]:
                found += redistributions(template, content, self.options.redistributions)
        found.sort(key=lambda decoration: -decoration.likeness)
        return found[: self.options.screened]

    def _select(self, screened: Sequence[Screened], anonymous: str) -> list[Screened]:
        """Return the best of the screened templates, like chemistry breaking near ties."""
        merit = [item.residual - self.options.likeness_weight * item.decoration.likeness for item in screened]
        order = np.argsort(merit, kind="stable").tolist()
        own = [i for i in order if screened[i].decoration.template.anonymous == anonymous]
        other = [i for i in order if screened[i].decoration.template.anonymous != anonymous]
        n = self.options.candidates
        return [screened[i] for i in sorted(own[:n] + other[:n], key=merit.__getitem__)]


def _volume(decoration: Decoration) -> float:
    """Return the expected volume in Å³ of the primitive cell: the template's, scaled by the sizes of the elements."""
    template = decoration.template
    old, new = Counter(template.numbers.tolist()), Counter(decoration.numbers.tolist())
    if not old.keys() <= element_volumes().keys():
        return expected_volume(new)
    return template.volume * expected_volume(new) / expected_volume(old)
