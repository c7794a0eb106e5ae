"""The powder simulator: batches of cells in, patterns and exact derivatives out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from xtal_core.cells import CellBatch, IntArray
from xtal_core.errors import InputError, OptionError, StructureError
from xtal_core.interfaces import PROFILE_PARAMETERS, DifferentiableSimulator, Linearisation, Reflections
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Radiation
from xtal_core.suggest import suggest
from xtal_powder.blocks import LARGEST_ON_CPU, LARGEST_ON_GPU, Blocks, blocks_of
from xtal_powder.canvas import COARSE, EXACT, Resolution
from xtal_powder.drawing import Deposit, Easel, Layout, layout_of, reflection_window
from xtal_powder.intensities import squared_structure_factors
from xtal_powder.linearisation import linearise_blocks
from xtal_powder.lines import Conditions, lines
from xtal_powder.mp20_pxrd import stick_patterns
from xtal_powder.peak_list import merged_peaks
from xtal_powder.plugin import PowderOptions
from xtal_powder.reflection_list import SingleReflections, single_reflections
from xtal_powder.scattering import check_elements
from xtal_powder.texture import textured
from xtal_powder.volume_scan import scan_blocks
from xtal_powder.widths import SHAPE_PARAMETERS

if TYPE_CHECKING:
    from pymatgen.core import Structure

#: Volume scans take lines together that are closer, in standard deviations of a peak, than this: 1 % off at the top.
BLUR = 0.14

#: Å³; a cell with less is no cell.
SMALLEST_VOLUME = 1e-3


@dataclass(frozen=True, eq=False)
class Group:
    """Cells of a batch whose patterns are drawn on the same canvases.

    Attributes
    ----------
    easel
        Which depends on the measurement and the cell's profile, never on other cells.
    indices : (n,)
        Which cells of the batch.
    profiles, conditions
        Theirs, one each.
    """

    easel: Easel
    indices: IntArray
    profiles: list[Profile]
    conditions: Conditions


class PowderSimulator(DifferentiableSimulator):
    """X-ray powder patterns in pymatgen's conventions, broadened in closed form.

    Intensities are |F|² with f = Z − 41.78214 s² Σ a exp(−b s²), times the Lorentz–polarisation factor
    (1 + cos² 2θ)/(sin² θ cos θ); divided by the squared number of atoms, they do not depend on the choice of cell.
    All reflections are kept; see `PowderOptions.intensity_floor` for what pymatgen leaves out.
    """

    def __init__(self, options: PowderOptions) -> None:
        self.device = _device(options.device)
        self.size_factor = 1.0 if options.kernel == "text" else 2.0
        self.intensity_floor = options.intensity_floor
        self.largest = LARGEST_ON_CPU if self.device.type == "cpu" else LARGEST_ON_GPU
        if self.device.type == "cpu":
            torch.set_num_threads(options.threads)

    @torch.inference_mode()
    def simulate(self, cells: CellBatch, measurement: Measurement, profiles: Sequence[Profile]) -> FloatArray:
        """Return (n_cells, n_points); see `Simulator.simulate`."""
        patterns = np.zeros((len(cells), len(measurement.q)))
        radiation = measurement.radiation
        for group in self._groups(cells, measurement, profiles, EXACT):
            easel = group.easel
            shared = len(set(group.profiles)) == 1
            shapes = easel.shapes(group.profiles[:1], self.size_factor)
            for blocks in self._blocks(cells, group, radiation, largest=self.largest, cost_of_cell=easel.n_points):
                members = torch.as_tensor(blocks.cells, device=self.device)
                conditions = group.conditions.at(members[blocks.owner])
                g = blocks.reciprocal_vectors()
                q = 2 * math.pi * g.norm(dim=-1)
                s_squared = (q / (4 * math.pi)).square()
                squared = textured(squared_structure_factors(blocks, s_squared[:, None]), blocks, g, conditions)[:, 0]
                deposits = []
                for line in lines(radiation, q, conditions):
                    owner, position, intensity = blocks.owner[:, None], line.position, line.strength * squared
                    if self.intensity_floor:
                        peaks = merged_peaks(
                            blocks.owner, position, intensity, radiation.wavelength, self.intensity_floor
                        )
                        owner, position, intensity = peaks.owner, peaks.position, peaks.intensity
                    deposits.append(Deposit(owner, position, intensity[..., None]))
                if not shared:
                    shapes = easel.shapes([group.profiles[i] for i in blocks.cells], self.size_factor)
                drawn, _ = easel.draw(deposits, len(blocks.cells), shapes)
                patterns[group.indices[blocks.cells]] = drawn[:, 0].cpu().numpy()
        return patterns

    @torch.inference_mode()
    def scan_volume(
        self, cells: CellBatch, measurement: Measurement, profile: Profile, factors: FloatArray
    ) -> FloatArray:
        """Return (n_cells, n_factors, n_points); see `Simulator.scan_volume` and `xtal_powder.volume_scan`."""
        factors = np.asarray(factors, float)
        patterns = np.zeros((len(cells), len(factors), len(measurement.q)))
        if not patterns.size:
            return patterns
        for group in self._groups(cells, measurement, [profile], COARSE):
            easel = group.easel
            shapes = easel.shapes([profile], self.size_factor)
            conditions = group.conditions.at(torch.zeros(1, dtype=torch.long, device=self.device))
            for blocks in self._blocks(
                cells,
                group,
                measurement.radiation,
                largest=self.largest,
                cost_of_cell=easel.n_points,
                stretch=float(np.cbrt(factors.max())),
            ):
                for portion, drawn in scan_blocks(
                    easel,
                    measurement.radiation,
                    blocks,
                    shapes,
                    conditions,
                    factors,
                    blur=BLUR * easel.narrowest(profile, self.size_factor) / measurement.q[-1],
                    largest=self.largest // 3,
                ):
                    patterns[group.indices[blocks.cells], portion] = drawn.cpu().numpy()
        return patterns

    @torch.inference_mode()
    def linearise(
        self,
        cells: CellBatch,
        measurement: Measurement,
        profiles: Sequence[Profile],
        directions: Sequence[FloatArray],
        parameters: Sequence[str],
    ) -> Linearisation:
        """Return patterns and derivatives; see `DifferentiableSimulator.linearise`."""
        for name in parameters:
            if name not in PROFILE_PARAMETERS:
                raise InputError(f"'{name}' is no parameter of a profile", suggest(name, PROFILE_PARAMETERS))
        shape_parameters = [name for name in parameters if name in SHAPE_PARAMETERS]
        n_cells, n_points = len(cells), len(measurement.q)
        n_directions = max((direction.shape[1] for direction in directions), default=0)
        # Derivatives of one parameter are computed, and wanted, next to one another.
        result = Linearisation(
            np.zeros((n_cells, n_points)),
            np.zeros((n_cells, n_directions, n_points)).transpose(0, 2, 1),
            np.zeros((n_cells, len(parameters), n_points)).transpose(0, 2, 1),
        )
        for group in self._groups(cells, measurement, profiles, EXACT):
            cost = group.easel.n_points * (n_directions + len(parameters) + 1) // 8
            for blocks in self._blocks(
                cells, group, measurement.radiation, largest=self.largest // 2, cost_of_cell=cost
            ):
                chosen = [group.profiles[i] for i in blocks.cells]
                part = linearise_blocks(
                    group.easel,
                    group.easel.shapes(chosen, self.size_factor, shape_parameters),
                    measurement.radiation,
                    blocks,
                    group.conditions.at(torch.as_tensor(blocks.cells, device=self.device)),
                    [directions[i] for i in group.indices[blocks.cells]],
                    n_directions,
                    parameters,
                )
                rows = group.indices[blocks.cells]
                result.intensity[rows] = part.intensity
                result.structure_jacobian[rows] = part.structure_jacobian
                result.profile_jacobian[rows] = part.profile_jacobian
        return result

    @torch.no_grad()
    def list_reflections(self, cell: CellBatch, measurement: Measurement, profile: Profile) -> Reflections:
        """Return the reflections of `cell`; see `ListsReflections`. An intensity floor is not applied."""
        return self._single_reflections(cell, measurement, profile)[1].listed()

    @torch.no_grad()
    def weigh_reflections(
        self, cell: CellBatch, measurement: Measurement, profile: Profile, weights: FloatArray
    ) -> FloatArray:
        """Return (n_weights, n_reflections); see `ListsReflections`."""
        easel, reflections = self._single_reflections(cell, measurement, profile)
        return reflections.weighed(easel, easel.shapes([profile], self.size_factor), weights)

    @torch.no_grad()
    def stick_patterns(self, structures: Sequence[Structure]) -> FloatArray:
        """Return (n_structures, `N_BINS`); see `CalculatesSticks` and `xtal_powder.mp20_pxrd`."""
        return stick_patterns(structures)

    def _single_reflections(
        self, cell: CellBatch, measurement: Measurement, profile: Profile
    ) -> tuple[Easel, SingleReflections]:
        """Return what the reflections of `cell` are drawn on, and them."""
        (group,) = self._groups(cell, measurement, [profile], EXACT)
        blocks = self._blocks(cell, group, measurement.radiation, largest=self.largest, cost_of_cell=0)
        return group.easel, single_reflections(blocks, group.conditions, measurement.radiation, self.device)

    def _groups(
        self, cells: CellBatch, measurement: Measurement, profiles: Sequence[Profile], resolution: Resolution
    ) -> Iterator[Group]:
        """Yield the cells by layout. Raises InputError for what cannot be simulated."""
        if len(profiles) not in (1, len(cells)):
            raise InputError(f"{len(profiles)} profiles for {len(cells)} cells", "give one, or one a cell")
        _check(cells, measurement)
        for profile in profiles:
            _check_profile(profile)
        if not len(cells):
            return
        layouts = {p: layout_of(measurement, p, self.size_factor, resolution) for p in dict.fromkeys(profiles)}
        windows = {profile: reflection_window(measurement, profile, self.size_factor) for profile in layouts}
        one_each = list(profiles) * (len(cells) // len(profiles))
        members: dict[Layout, list[int]] = {}
        for index, profile in enumerate(one_each):
            members.setdefault(layouts[profile], []).append(index)
        for layout, indices in members.items():
            chosen = [one_each[index] for index in indices]
            conditions = Conditions.of(chosen, [windows[profile] for profile in chosen], self.device)
            easel = Easel(measurement, layout, resolution.order, self.device)
            yield Group(easel, np.array(indices), chosen, conditions)

    def _blocks(
        self,
        cells: CellBatch,
        group: Group,
        radiation: Radiation,
        *,
        largest: int,
        cost_of_cell: int,
        stretch: float = 1.0,
    ) -> Iterator[Blocks]:
        """Yield the blocks of a group's cells, with every reflection seen at any wavelength.

        `largest` and `cost_of_cell` are as for `blocks_of`; `stretch` is by how much lattices may still grow.
        """
        seen = group.conditions.highest[:, 0].cpu().numpy() * (radiation.wavelength / min(radiation.wavelengths))
        return blocks_of(
            cells.select(group.indices),
            seen * stretch / (2 * math.pi),
            self.device,
            largest=largest,
            cost_of_cell=cost_of_cell,
        )


def _device(name: str) -> torch.device:
    """Return the device called `name`. Raises OptionError for one that is not there or cannot compute with doubles."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise OptionError(f"powder.device is '{name}'", "give cpu, cuda, or cuda:1 and so on")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise OptionError(f"powder.device is '{name}', which this computer or its PyTorch does not have", "give cpu")
    return device


def _check(cells: CellBatch, measurement: Measurement) -> None:
    """Raise InputError for cells or an axis that have no pattern."""
    check_elements(set(np.unique(cells.numbers).tolist()))
    if len(cells) and not cells.volumes.min() > SMALLEST_VOLUME:
        raise StructureError(f"a unit cell has a volume of {cells.volumes.min():g} Å³", "give a lattice with a volume")
    wavelength = measurement.radiation.wavelength
    if measurement.q[-1] > 4 * math.pi / wavelength:
        raise InputError(
            f"Q up to {measurement.q[-1]:.3f} Å⁻¹ cannot be reached with {wavelength:.5f} Å",
            "give the right wavelength or a shorter axis",
        )


def _check_profile(profile: Profile) -> None:
    """Raise InputError for a profile that means nothing."""
    for name in (name for name in SHAPE_PARAMETERS if name != "crystallite_size"):
        if getattr(profile, name) < 0:
            raise InputError(f"{name} is {getattr(profile, name):g}", "give a width that is not negative")
    if not profile.march_coefficient > 0:
        raise InputError(f"march_coefficient is {profile.march_coefficient:g}", "give one above 0")
    if profile.march_axis is not None and not any(profile.march_axis):
        raise InputError("march_axis is (0, 0, 0)", "give the Miller indices of a plane")
