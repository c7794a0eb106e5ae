"""The powder simulator: batches of cells in, patterns and exact derivatives out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from xtal_core.cells import CellBatch, IntArray
from xtal_core.errors import InputError, OptionError, StructureError
from xtal_core.interfaces import PROFILE_PARAMETERS, DifferentiableSimulator, Linearisation
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Radiation
from xtal_powder.blocks import LARGEST_ON_CPU, LARGEST_ON_GPU, Blocks, blocks_of
from xtal_powder.canvas import COARSE, EXACT, Canvas, CanvasSize, Resolution, canvas_size, window
from xtal_powder.intensities import squared_structure_factors
from xtal_powder.linearisation import linearise_blocks
from xtal_powder.lines import Conditions, lines
from xtal_powder.peak_list import merged_peaks
from xtal_powder.peak_shape import finest_scale
from xtal_powder.plugin import PowderOptions
from xtal_powder.scattering import check_elements
from xtal_powder.volume_scan import scan_blocks

#: Volume scans take lines together that are closer, in standard deviations of a peak, than this: 1 % off at the top.
BLUR = 0.14

#: Å³; a cell with less is no cell.
SMALLEST_VOLUME = 1e-3


@dataclass(frozen=True, eq=False)
class Group:
    """Cells of a batch whose patterns are drawn on the same canvas.

    Attributes
    ----------
    canvas
        Which depends on the measurement and the cell's profile, never on other cells.
    indices : (n,)
        Which cells of the batch.
    profiles, conditions
        Theirs, one each.
    """

    canvas: Canvas
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
            canvas = group.canvas
            shared = len(set(group.profiles)) == 1
            (kernels,) = canvas.kernels(group.profiles[:1], self.size_factor, ("value",))
            for blocks in self._blocks(cells, group, radiation, largest=self.largest, cost_of_cell=canvas.size.n_axis):
                members = torch.as_tensor(blocks.cells, device=self.device)
                q = 2 * math.pi * blocks.reciprocal_vectors().norm(dim=-1)
                squared = squared_structure_factors(blocks, (q / (4 * math.pi)).square()[:, None])[:, 0]
                grids = canvas.empty_grids(len(blocks.cells), 1)
                for line in lines(radiation, q, group.conditions.at(members[blocks.owner])):
                    owner, position, intensity = blocks.owner[:, None], line.position, line.strength * squared
                    if self.intensity_floor:
                        peaks = merged_peaks(
                            blocks.owner, position, intensity, radiation.wavelength, self.intensity_floor
                        )
                        owner, position, intensity = peaks.owner, peaks.position, peaks.intensity
                    canvas.deposit(grids, owner, position, intensity)
                if not shared:
                    (kernels,) = canvas.kernels([group.profiles[i] for i in blocks.cells], self.size_factor, ("value",))
                patterns[group.indices[blocks.cells]] = (
                    canvas.read(canvas.spectrum(grids)[:, 0] * kernels).cpu().numpy()
                )
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
            canvas = group.canvas
            (kernel,) = canvas.kernels([profile], self.size_factor, ("value",))
            conditions = group.conditions.at(torch.zeros(1, dtype=torch.long, device=self.device))
            for blocks in self._blocks(
                cells,
                group,
                measurement.radiation,
                largest=self.largest,
                cost_of_cell=canvas.size.n_axis,
                stretch=float(np.cbrt(factors.max())),
            ):
                for portion, drawn in scan_blocks(
                    canvas,
                    measurement.radiation,
                    blocks,
                    kernel,
                    conditions,
                    factors,
                    blur=BLUR * finest_scale(profile, self.size_factor) / measurement.q[-1],
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
    ) -> Linearisation:
        """Return patterns and derivatives; see `DifferentiableSimulator.linearise`."""
        n_cells, n_points = len(cells), len(measurement.q)
        n_directions = max((direction.shape[1] for direction in directions), default=0)
        # Derivatives of one parameter are computed, and wanted, next to one another.
        result = Linearisation(
            np.zeros((n_cells, n_points)),
            np.zeros((n_cells, n_directions, n_points)).transpose(0, 2, 1),
            np.zeros((n_cells, len(PROFILE_PARAMETERS), n_points)).transpose(0, 2, 1),
        )
        for group in self._groups(cells, measurement, profiles, EXACT):
            cost = group.canvas.size.n_axis * (n_directions + len(PROFILE_PARAMETERS)) // 8
            for blocks in self._blocks(
                cells, group, measurement.radiation, largest=self.largest // 2, cost_of_cell=cost
            ):
                part = linearise_blocks(
                    group.canvas,
                    measurement.radiation,
                    blocks,
                    [group.profiles[i] for i in blocks.cells],
                    group.conditions.at(torch.as_tensor(blocks.cells, device=self.device)),
                    [directions[i] for i in group.indices[blocks.cells]],
                    n_directions,
                    self.size_factor,
                )
                rows = group.indices[blocks.cells]
                result.intensity[rows] = part.intensity
                result.structure_jacobian[rows] = part.structure_jacobian
                result.profile_jacobian[rows] = part.profile_jacobian
        return result

    def _groups(
        self, cells: CellBatch, measurement: Measurement, profiles: Sequence[Profile], resolution: Resolution
    ) -> Iterator[Group]:
        """Yield the cells by canvas. Raises InputError for what cannot be simulated."""
        if len(profiles) not in (1, len(cells)):
            raise InputError(f"{len(profiles)} profiles for {len(cells)} cells", "give one, or one a cell")
        _check(cells, measurement)
        if not len(cells):
            return
        sizes = {p: canvas_size(measurement, p, self.size_factor, resolution) for p in dict.fromkeys(profiles)}
        windows = {profile: window(measurement, profile, self.size_factor) for profile in sizes}
        one_each = list(profiles) * (len(cells) // len(profiles))
        members: dict[CanvasSize, list[int]] = {}
        for index, profile in enumerate(one_each):
            members.setdefault(sizes[profile], []).append(index)
        for size, indices in members.items():
            chosen = [one_each[index] for index in indices]
            conditions = Conditions.of(chosen, [windows[profile] for profile in chosen], self.device)
            yield Group(Canvas(measurement, size, resolution.order, self.device), np.array(indices), chosen, conditions)

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
