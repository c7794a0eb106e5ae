"""Which plugins take part in solving a problem, with which options, and the objects made of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xtal_core.errors import OptionError
from xtal_core.interfaces import Generator, Refiner, SimilarityMetric, Simulator
from xtal_core.registry import Kind, Offer, Registry
from xtal_core.suggest import suggest


@dataclass(frozen=True)
class Plan:
    """How a problem is to be solved.

    Attributes
    ----------
    generators
        Names of the generators; their candidates are pooled. None are needed where structures are given by hand.
    refiner
        Name of the refiner; None leaves the structures as they were generated.
    simulator, metric
        Names of the simulator, and of the metric that tells which candidates are the same structure.
    n_candidates
        How many distinct candidates the solution holds at most.
    settings
        {plugin: {option: value}}; options that are not mentioned have their defaults.
    seed
        Where randomness starts.
    jobs
        How many processor cores may be used.
    """

    generators: tuple[str, ...] = ("prototype",)
    refiner: str | None = "fit"
    simulator: str = "powder"
    metric: str = "structure-matcher"
    n_candidates: int = 10
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    jobs: int = 1

    def members(self) -> list[tuple[Kind, str]]:
        """Return kind and name of every plugin that takes part."""
        names: list[tuple[Kind, tuple[str, ...]]] = [
            ("simulator", (self.simulator,)),
            ("generator", tuple(dict.fromkeys(self.generators))),
            ("refiner", () if self.refiner is None else (self.refiner,)),
            ("metric", (self.metric,)),
        ]
        return [(kind, name) for kind, chosen in names for name in chosen]


@dataclass(frozen=True, eq=False)
class Tool:
    """A plugin's object at work, where it came from and its options, defaults included."""

    offer: Offer
    instance: Any
    options: Mapping[str, Any]

    def ships(self, path: Path) -> bool:
        """Return whether the file at `path` is part of the plugin's package."""
        package = sys.modules[type(self.instance).__module__.partition(".")[0]]
        return package.__file__ is not None and path.is_relative_to(Path(package.__file__).parent)


@dataclass(frozen=True, eq=False)
class Tools:
    """The objects of the plugins that `plan` names, ready for any number of problems."""

    plan: Plan
    members: tuple[Tool, ...]

    @property
    def simulator(self) -> Simulator:
        """The simulator."""
        return self._only("simulator")

    @property
    def generators(self) -> dict[str, Generator]:
        """The generators by name, in the order of the plan."""
        return {tool.offer.record.name: tool.instance for tool in self.members if tool.offer.kind == "generator"}

    @property
    def refiner(self) -> Refiner | None:
        """The refiner, if there is to be one."""
        return self._only("refiner") if any(tool.offer.kind == "refiner" for tool in self.members) else None

    @property
    def metric(self) -> SimilarityMetric:
        """The metric that groups candidates."""
        return self._only("metric")

    def _only(self, kind: Kind) -> Any:
        return next(tool.instance for tool in self.members if tool.offer.kind == kind)


def gather_tools(plan: Plan, registry: Registry) -> Tools:
    """Create the plugins that `plan` names.

    Raises OptionError for unknown names and bad options, and PluginError when a plugin cannot be created.
    """
    if plan.n_candidates < 1:
        raise OptionError(f"{plan.n_candidates} candidates were asked for", "ask for at least 1")
    members = plan.members()
    offers = [registry.offer(kind, name) for kind, name in members]
    for plugin in plan.settings:
        if plugin not in {name for _, name in members}:
            hint = suggest(plugin, {name for _, name in members}, "those that do are")
            raise OptionError(f"--set names '{plugin}', which takes no part in this run", hint)
    options = [registry.options(kind, name, plan.settings.get(name)) for kind, name in members]
    tools = Tools(
        plan,
        tuple(
            Tool(offer, registry.create(kind, name, plan.settings.get(name)), {} if chosen is None else asdict(chosen))
            for (kind, name), offer, chosen in zip(members, offers, options, strict=True)
        ),
    )
    if tools.metric.compares != "structures":
        raise OptionError(f"{plan.metric} compares patterns", "group candidates by a metric that compares structures")
    return tools
