"""The powder simulator: batches of cells in, patterns and exact derivatives out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from xtal_core.cells import CellBatch
from xtal_core.errors import InputError
from xtal_core.interfaces import PROFILE_PARAMETERS, DifferentiableSimulator, Linearisation
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Radiation
from xtal_powder.canvas import Canvas
from xtal_powder.intensities import PaddedTensors, linearised_structure_factors, squared_structure_factors
from xtal_powder.plugin import PowderOptions
from xtal_powder.reflections import padded_batches
from xtal_powder.scattering import check_elements, lorentz_polarisation
from xtal_powder.volume_scan import VolumeScan

#: Largest number of atom–reflection pairs computed at once; keeps temporaries within the processor's cache.
LARGEST_BATCH = 80_000

#: Row, column of the strain component that each of the six Voigt components stands for.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


class PowderSimulator(DifferentiableSimulator):
    """X-ray powder patterns in pymatgen's conventions, broadened in closed form.

    Intensities are |F|² with f = Z − 41.78214 s² Σ a exp(−b s²), times the Lorentz–polarisation factor
    (1 + cos² 2θ)/(sin² θ cos θ); divided by the squared number of atoms, they do not depend on the choice of cell.
    """

    def __init__(self, options: PowderOptions) -> None:
        self.device = torch.device(options.device)
        self.size_factor = 1.0 if options.kernel == "text" else 2.0
        if self.device.type == "cpu":
            torch.set_num_threads(options.threads)

    def simulate(self, cells: CellBatch, measurement: Measurement, profiles: Sequence[Profile]) -> FloatArray:
        """Return (n_cells, n_points); see `Simulator.simulate`."""
        patterns = np.zeros((len(cells), len(measurement.q)))
        if not len(cells):
            return patterns
        profiles = _one_each(profiles, len(cells))
        canvas, q_limit = self._prepare(cells, measurement, profiles)
        g_max = _largest_g(measurement.radiation, q_limit)
        shared = len(set(profiles)) == 1
        shape = canvas.shapes(profiles[:1], ["value"])["value"] if shared else None
        for padded in padded_batches(cells, np.full(len(cells), g_max), LARGEST_BATCH):
            chosen = [profiles[index] for index in padded.indices]
            tensors = PaddedTensors.on(self.device, padded)
            q = 2 * math.pi * tensors.reciprocal_vectors().norm(dim=-1)
            squared = squared_structure_factors(tensors, (q / (4 * math.pi)).square()[:, None])[:, 0]
            grid = self._draw(canvas, measurement.radiation, q_limit, chosen, q, squared)
            kernel = shape if shape is not None else canvas.shapes(chosen, ["value"])["value"]
            patterns[padded.indices] = canvas.read(canvas.spectrum(grid) * kernel).cpu().numpy()
        return patterns

    def scan_volume(
        self, cells: CellBatch, measurement: Measurement, profile: Profile, factors: FloatArray
    ) -> FloatArray:
        """Return (n_cells, n_factors, n_points); see `Simulator.scan_volume` and `xtal_powder.volume_scan`."""
        factors = np.asarray(factors, float)
        patterns = np.zeros((len(cells), len(factors), len(measurement.q)))
        if not patterns.size:
            return patterns
        canvas, q_limit = self._prepare(cells, measurement, [profile])
        scan = VolumeScan(measurement, profile, factors, q_limit, self.size_factor, self.device)
        g_max = np.full(len(cells), scan.q_largest / (2 * math.pi))
        for padded in padded_batches(cells, g_max, LARGEST_BATCH):
            patterns[padded.indices] = scan.patterns(PaddedTensors.on(self.device, padded)).cpu().numpy()
        return patterns

    def linearise(
        self,
        cells: CellBatch,
        measurement: Measurement,
        profiles: Sequence[Profile],
        directions: Sequence[FloatArray],
    ) -> Linearisation:
        """Return patterns and derivatives; see `DifferentiableSimulator.linearise`."""
        n_directions = max((d.shape[1] for d in directions), default=0)
        n_cells, n_points = len(cells), len(measurement.q)
        result = Linearisation(
            np.zeros((n_cells, n_points)),
            np.zeros((n_cells, n_points, n_directions)),
            np.zeros((n_cells, n_points, len(PROFILE_PARAMETERS))),
        )
        if not n_cells:
            return result
        profiles = _one_each(profiles, n_cells)
        canvas, q_limit = self._prepare(cells, measurement, profiles)
        g_max = _largest_g(measurement.radiation, q_limit)
        for padded in padded_batches(cells, np.full(n_cells, g_max), LARGEST_BATCH // 4):
            n_atoms = padded.fractional.shape[1]
            strain = np.zeros((len(padded.indices), 6, n_directions))
            shift = np.zeros((len(padded.indices), n_atoms * 3, n_directions))
            for row, index in enumerate(padded.indices):
                rows, columns = directions[index].shape
                strain[row, :, :columns] = directions[index][:6]
                shift[row, : rows - 6, :columns] = directions[index][6:]
            self._linearise_batch(
                canvas,
                measurement.radiation,
                q_limit,
                PaddedTensors.on(self.device, padded),
                [profiles[index] for index in padded.indices],
                torch.as_tensor(strain, device=self.device),
                torch.as_tensor(shift, device=self.device).reshape(len(padded.indices), n_atoms, 3, n_directions),
                result,
                padded.indices,
            )
        return result

    def _prepare(
        self, cells: CellBatch, measurement: Measurement, profiles: Sequence[Profile]
    ) -> tuple[Canvas, float]:
        """Return the canvas and the largest apparent Q in Å⁻¹ of a reflection that contributes."""
        check_elements(set(np.unique(cells.numbers).tolist()))
        canvas = Canvas(measurement, profiles, self.size_factor, self.device)
        radiation = measurement.radiation
        if measurement.q[-1] > 4 * math.pi / radiation.wavelength:
            raise InputError(
                f"Q up to {measurement.q[-1]:.3f} Å⁻¹ cannot be reached with {radiation.wavelength:.5f} Å",
                "give the right wavelength or a shorter axis",
            )
        limit = measurement.q[-1] + canvas.reach if measurement.reflections_to is None else measurement.reflections_to
        # The Lorentz factor diverges at backscattering: nothing beyond 2θ = 170° contributes.
        return canvas, min(limit, 4 * math.pi / radiation.wavelength * math.sin(math.radians(85)))

    def _lines(
        self, radiation: Radiation, q_limit: float, q: torch.Tensor, zero_shift: torch.Tensor
    ) -> list[tuple[float, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Return for each wavelength: weight, visible (0 or 1), apparent Q, its derivatives by Q and by zero shift (°)."""
        per_sine = 4 * math.pi / radiation.wavelength
        half = torch.deg2rad(zero_shift)[:, None] / 2
        lines = []
        for wavelength, weight in zip(radiation.wavelengths, radiation.weights, strict=True):
            ratio = wavelength / (4 * math.pi)
            sine = (q * ratio).clamp(max=1 - 1e-9)
            cosine = torch.sqrt(1 - sine * sine)
            apparent = per_sine * (sine * torch.cos(half) + cosine * torch.sin(half))
            by_q = per_sine * ratio * (torch.cos(half) - sine / cosine * torch.sin(half))
            by_shift = per_sine * (cosine * torch.cos(half) - sine * torch.sin(half)) * (math.pi / 360)
            visible = q * wavelength / radiation.wavelength <= q_limit
            lines.append((weight, visible.to(q.dtype), apparent, by_q, by_shift))
        return lines

    def _draw(
        self,
        canvas: Canvas,
        radiation: Radiation,
        q_limit: float,
        profiles: Sequence[Profile],
        q: torch.Tensor,
        squared: torch.Tensor,
    ) -> torch.Tensor:
        """Return (n_cells, n_fine) grids with the intensities of all wavelengths deposited."""
        b_iso = torch.tensor([profile.b_iso for profile in profiles], dtype=q.dtype, device=self.device)
        zero_shift = torch.tensor([profile.zero_shift for profile in profiles], dtype=q.dtype, device=self.device)
        damped = squared * torch.exp(-2 * b_iso[:, None] * (q / (4 * math.pi)).square())
        grid: torch.Tensor | None = None
        for (weight, visible, apparent, _, _), wavelength in zip(
            self._lines(radiation, q_limit, q, zero_shift), radiation.wavelengths, strict=True
        ):
            intensity = weight * damped * visible * lorentz_polarisation(q, wavelength)[0]
            part = canvas.deposit(apparent, intensity[..., None])[:, 0]
            grid = part if grid is None else grid + part
        assert grid is not None
        return grid

    def _linearise_batch(
        self,
        canvas: Canvas,
        radiation: Radiation,
        q_limit: float,
        cells: PaddedTensors,
        profiles: Sequence[Profile],
        strain: torch.Tensor,
        displacements: torch.Tensor,
        result: Linearisation,
        rows: np.ndarray,
    ) -> None:
        """Write the linearisation of one padded batch into `rows` of `result`."""
        g = cells.reciprocal_vectors()
        q = 2 * math.pi * g.norm(dim=-1)
        s_squared = (q / (4 * math.pi)).square()
        # Strain ε changes |g| by −gᵀεg/|g|.
        voigt = torch.stack([g[..., i] * g[..., j] for i, j in VOIGT], -1)
        q_by_strain = -2 * math.pi * voigt / g.norm(dim=-1, keepdim=True)
        structure = linearised_structure_factors(cells, s_squared, displacements)
        b_iso = torch.tensor([profile.b_iso for profile in profiles], dtype=q.dtype, device=self.device)[:, None]
        zero_shift = torch.tensor([profile.zero_shift for profile in profiles], dtype=q.dtype, device=self.device)
        damping = torch.exp(-2 * b_iso * s_squared)
        s_squared_by_q = q / (8 * math.pi**2)
        # Columns: intensity, its change along each direction, its change with B; then what moves along Q.
        amplitude: torch.Tensor | None = None
        movement: torch.Tensor | None = None
        for (weight, visible, apparent, by_q, by_shift), wavelength in zip(
            self._lines(radiation, q_limit, q, zero_shift), radiation.wavelengths, strict=True
        ):
            factor, factor_slope = lorentz_polarisation(q, wavelength)
            common = weight * visible * damping
            intensity = common * factor * structure.squared
            intensity_by_q = common * (
                factor_slope * structure.squared
                + factor * (structure.by_s_squared - 2 * b_iso * structure.squared) * s_squared_by_q
            )
            along = (common * factor)[..., None] * structure.by_direction
            along = along + (intensity_by_q[..., None] * q_by_strain) @ strain
            columns = torch.cat([intensity[..., None], along, (-2 * s_squared * intensity)[..., None]], -1)
            moving = torch.cat([(intensity * by_q)[..., None] * q_by_strain, (intensity * by_shift)[..., None]], -1)
            both = canvas.deposit(apparent, torch.cat([columns, moving], -1))
            split = columns.shape[-1]
            amplitude = both[:, :split] if amplitude is None else amplitude + both[:, :split]
            movement = both[:, split:] if movement is None else movement + both[:, split:]
        assert amplitude is not None
        assert movement is not None
        shapes = canvas.shapes(profiles, ["value", "by_offset", "by_size", "by_sigma", "by_hwhm"])
        spectra = canvas.spectrum(amplitude)
        drawn = canvas.read(spectra * shapes["value"][:, None])
        moved = -canvas.read(canvas.spectrum(movement) * shapes["by_offset"][:, None])
        widths = torch.stack([spectra[:, 0] * shapes[name] for name in ("by_size", "by_sigma", "by_hwhm")], 1)
        n_directions = strain.shape[-1]
        along = drawn[:, 1 : 1 + n_directions].transpose(1, 2) + moved[:, :6].transpose(1, 2) @ strain
        by_profile = torch.cat([canvas.read(widths), drawn[:, -1:], moved[:, 6:]], 1)
        result.intensity[rows] = drawn[:, 0].cpu().numpy()
        result.structure_jacobian[rows] = along.cpu().numpy()
        result.profile_jacobian[rows] = by_profile.transpose(1, 2).cpu().numpy()


def _largest_g(radiation: Radiation, q_limit: float) -> float:
    """Return the largest 1/d in Å⁻¹ of which any wavelength shows a reflection below the apparent `q_limit`."""
    return q_limit * radiation.wavelength / min(radiation.wavelengths) / (2 * math.pi)


def _one_each(profiles: Sequence[Profile], n_cells: int) -> list[Profile]:
    """Return one profile for each cell."""
    if len(profiles) not in (1, n_cells):
        raise InputError(f"{len(profiles)} profiles for {n_cells} cells", "give one, or one a cell")
    return list(profiles) * (n_cells if len(profiles) == 1 else 1)
