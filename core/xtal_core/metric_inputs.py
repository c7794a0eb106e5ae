"""Which metrics compare which items, and what each metric is handed of an item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from xtal_core.errors import OptionError, XtalError, fault_of
from xtal_core.item import Item
from xtal_core.pattern import Pattern, Radiation
from xtal_core.progress import Progress
from xtal_core.similarity_matrix import Features, MetricChoice, featurise_all
from xtal_core.suggest import suggest

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from xtal_core.interfaces import ReadsItems, SimilarityMetric
    from xtal_core.registry import Registry
    from xtal_core.simulated_patterns import Conditions

#: What calculates patterns of structures unless another simulator is named.
SIMULATOR = "powder"


@dataclass(frozen=True, eq=False)
class ChosenMetric:
    """A metric that was asked for, or why it could not be created.

    Attributes
    ----------
    metric
        None where it could not be created.
    error
        Why; empty otherwise.
    """

    choice: MetricChoice
    metric: SimilarityMetric | None
    error: str = ""


def choose_metrics(
    names: Iterable[str], registry: Registry, settings: Mapping[str, Mapping[str, Any]]
) -> list[ChosenMetric]:
    """Return the metrics `names`, all that are installed if there are none.

    Raises OptionError for names and options that do not exist, and for settings of something that takes no part.
    """
    chosen = list(dict.fromkeys(names)) or registry.names("metric")
    for name in chosen:
        registry.offer("metric", name)
    for name in settings:
        if name not in chosen:
            raise OptionError(f"--set names '{name}', which takes no part", suggest(name, chosen, "metrics are"))
    metrics = []
    for name in chosen:
        choice = MetricChoice(name, registry, settings.get(name, {}))
        try:
            metrics.append(ChosenMetric(choice, choice.create()))
        except OptionError:
            raise
        except XtalError as error:
            metrics.append(ChosenMetric(choice, None, str(error)))
    return metrics


def fitting_metrics(
    metrics: Sequence[ChosenMetric],
    first: Sequence[Item],
    others: Sequence[Item],
    *,
    named: bool,
    simulate: bool,
) -> list[ChosenMetric]:
    """Return those of `metrics` that can compare one of `first` with one of `others`.

    Parameters
    ----------
    named
        Whether the user named the metrics: then all stay, and say themselves what they cannot take.
    simulate
        Whether metrics of patterns are wanted where no item is a pattern. Simulating loads more than comparing does.

    Raises
    ------
    OptionError
        When none remains.
    """
    if named:
        return list(metrics)
    patterns = simulate or any(item.kind == "pattern" for item in (*first, *others))
    fitting = []
    for chosen in metrics:
        if chosen.metric is None:
            # What it would compare is not known; it is listed with its reason.
            fitting.append(chosen)
        elif chosen.metric.compares == "structures" or patterns:
            taken = [[i for i in side if not reason_against(chosen.metric, i)] for side in (first, others)]
            if all(taken):
                fitting.append(chosen)
    if not any(chosen.metric for chosen in fitting):
        kinds = " with ".join(dict.fromkeys(item.describe() for item in (first[0], others[0])))
        raise OptionError(f"no installed metric compares {kinds}", "see xtal plugins for the metrics there are")
    return fitting


def reason_against(metric: SimilarityMetric, item: Item) -> str:
    """Return why `metric` cannot take an item of this kind, or nothing. Structures are simulated for patterns."""
    from xtal_core.interfaces import ReadsItems

    if isinstance(item.content, Path):
        if isinstance(metric, ReadsItems) and item.content.suffix.lower() in metric.item_suffixes:
            return ""
    elif item.kind == "structure" or metric.compares == "patterns":
        return ""
    remedy = f"give {metric.compares}, or another metric"
    return f"{item.name} is {item.describe()}, {metric.name} compares {metric.compares}; {remedy}"


@dataclass(frozen=True)
class Simulation:
    """What calculates patterns of structures, and how where no pattern says.

    Attributes
    ----------
    simulator, settings
        Its name and {option: value}.
    radiation, size
        None for the standard ones. The size, in Å, counts also where a pattern says the rest.
    """

    simulator: str = SIMULATOR
    settings: Mapping[str, Any] = field(default_factory=dict)
    radiation: Radiation | None = None
    size: float | None = None


@dataclass(frozen=True, eq=False)
class MetricInputs:
    """Items, and the patterns of structures for metrics that compare patterns.

    Attributes
    ----------
    items
        To be compared.
    patterns
        {index of a structure: its simulated pattern}; empty when no metric needs one.
    not_simulated
        {index of a structure: why it has no pattern}.
    conditions
        Under which it was simulated; None when nothing was.
    """

    items: Sequence[Item]
    patterns: Mapping[int, Pattern] = field(default_factory=dict)
    not_simulated: Mapping[int, str] = field(default_factory=dict)
    conditions: Conditions | None = None

    def contents(self, chosen: ChosenMetric) -> tuple[dict[int, Any], dict[int, str]]:
        """Return what a metric takes of the items, by their index, and why it cannot take others."""
        contents: dict[int, Any] = {}
        refusals: dict[int, str] = {}
        metric = chosen.metric
        for index, item in enumerate(self.items):
            reason = chosen.error if metric is None else reason_against(metric, item)
            if metric is not None and metric.compares == "patterns":
                reason = reason or self.not_simulated.get(index, "")
            if reason:
                refusals[index] = reason
            elif isinstance(item.content, Path):
                try:
                    contents[index] = _read_own(chosen, item.content)
                except XtalError as error:
                    refusals[index] = str(error)
            elif metric is not None and metric.compares == "patterns":
                contents[index] = self.patterns.get(index, item.content)
            else:
                contents[index] = item.content
        return contents, refusals


def gather_inputs(
    items: Sequence[Item],
    metrics: Iterable[ChosenMetric],
    registry: Registry,
    simulation: Simulation,
    progress: Progress | None = None,
) -> MetricInputs:
    """Return `items` with the patterns of structures, should one of `metrics` compare patterns.

    They are calculated under the conditions of the first pattern among the items, else under standard ones. Raises
    OptionError for a simulator that does not exist and PluginError for one that cannot be created.
    """
    structures = {i: (item.name, item.content) for i, item in enumerate(items) if item.kind == "structure"}
    if not structures or not any(c.metric is not None and c.metric.compares == "patterns" for c in metrics):
        return MetricInputs(items)
    from xtal_core.simulated_patterns import conditions_of, simulate_patterns, standard_conditions

    measured = next((item for item in items if isinstance(item.content, Pattern)), None)
    if measured is None:
        conditions = standard_conditions(simulation.radiation, simulation.size)
    else:
        conditions = conditions_of(cast("Pattern", measured.content), measured.name, simulation.size)
    tool = registry.create("simulator", simulation.simulator, simulation.settings)
    simulated = simulate_patterns(
        cast("dict[int, tuple[str, Structure]]", structures), tool, simulation.simulator, conditions, progress
    )
    return MetricInputs(items, *simulated, conditions)


def features_of(
    inputs: MetricInputs, chosen: ChosenMetric, jobs: int = 1, progress: Progress | None = None
) -> Features:
    """Return the features of all items by a metric, those that it cannot take refused with the reason."""
    contents, refusals = inputs.contents(chosen)
    places = list(contents)
    values: dict[int, Any] = {}
    if places:
        computed = featurise_all(chosen.choice, list(contents.values()), jobs, progress)
        refusals |= {places[place]: reason for place, reason in computed.refusals.items()}
        values = dict(zip(places, computed.values, strict=True))
    return Features(tuple(values.get(index) for index in range(len(inputs.items))), dict(sorted(refusals.items())))


def _read_own(chosen: ChosenMetric, path: Path) -> Any:
    with fault_of(chosen.choice.name):
        return cast("ReadsItems", chosen.metric).read_item(path)
