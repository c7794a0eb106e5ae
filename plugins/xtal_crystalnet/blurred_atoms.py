"""Atoms as the peaks of a map, and the map that such atoms make.

The peaks of a predicted map are lower and broader than they should be, and blurred by about the same fraction of the
cell along each of its axes, whatever their lengths: a network knows fractional coordinates only. A peak is therefore
described as the density of a free atom, multiplied by an amplitude and convolved with a Gaussian in fractional
coordinates. Convolved with the Gaussians of `atomic_densities`, that is a sum of Gaussians again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from xtal_core.cells import IntArray
from xtal_core.pattern import FloatArray
from xtal_crystalnet.atomic_densities import gaussian_terms
from xtal_crystalnet.density_map import LONGEST_EDGE

SingleComplexArray = NDArray[np.complex64]

#: Å: waves are summed that a grid of this spacing holds. If the map's is wider, they fold back into longer ones. What
#: is shorter is left out, and stays below 1 % of the largest value.
FOLDING_EDGE = 0.2

#: Å: how far from its centre a peak is looked at. Beyond, little of it is left, and its neighbours begin.
PEAK_RADIUS = 0.8

#: Points at which a peak is looked at, if there are more within the radius.
MOST_POINTS = 1500


@dataclass(frozen=True, eq=False)
class Peaks:
    """Blurred atoms.

    Attributes
    ----------
    fractional : (n, 3)
    numbers : (n,)
        Atomic numbers.
    amplitudes : (n,)
        What the density of each atom is multiplied by; 1 in a perfect map.
    variances : (n,)
        Of the blur, along each axis in units of its length squared; 0 in a perfect map.
    """

    fractional: FloatArray
    numbers: IntArray
    amplitudes: FloatArray
    variances: FloatArray

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def charges(self) -> FloatArray:
        """(n,) electrons of each peak."""
        return self.amplitudes * self.numbers

    def and_also(self, other: Peaks) -> Peaks:
        """Return these peaks, followed by those of `other`."""
        return Peaks(
            np.concatenate([self.fractional, other.fractional]),
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.amplitudes, other.amplitudes]),
            np.concatenate([self.variances, other.variances]),
        )


NO_PEAKS = Peaks(np.empty((0, 3)), np.empty(0, int), np.empty(0), np.empty(0))


class PeakModel:
    """The maps of peaks on a grid of `shape` over a cell with `lattice` (3, 3) Å.

    What `electron_density` sums in real space is summed over waves here: the same within 1 % of the largest value, in
    milliseconds, and for broadened atoms, too.
    """

    def __init__(self, shape: tuple[int, ...], lattice: FloatArray) -> None:
        self.shape = np.array(shape)
        self.lattice = np.asarray(lattice, float)
        self.volume = abs(float(np.linalg.det(self.lattice)))
        edges = np.linalg.norm(self.lattice, axis=1) / self.shape
        self.finer = np.ceil(edges / FOLDING_EDGE).astype(int)
        # Where voxels are long, `electron_density` takes means over so many points in each.
        self.averaged = 2 * np.ceil((edges / LONGEST_EDGE - 1) / 2).astype(int) + 1
        self._form_factors: dict[int, NDArray[np.float32]] = {}

    def map_of(self, peaks: Peaks) -> FloatArray:
        """Return the (n1, n2, n3) e⁻/Å³ of `peaks`."""
        # Seven digits are plenty, and take half the time.
        total: SingleComplexArray = np.zeros(self._squared_s.shape, np.complex64)
        for number in np.unique(peaks.numbers):
            chosen = peaks.numbers == number
            x, variances = peaks.fractional[chosen], peaks.variances[chosen, None]
            p, q, r = (
                averaged * np.exp(-2j * np.pi * np.outer(x[:, axis], wave) - 2 * variances * (np.pi * wave) ** 2)
                for axis, (wave, averaged) in enumerate(zip(self._waves, self._averages, strict=True))
            )
            in_plane = ((peaks.amplitudes[chosen, None] * p)[:, :, None] * q[:, None]).astype(np.complex64)
            phases = (in_plane.reshape(len(x), -1).T @ r.astype(np.complex64)).reshape(total.shape)
            phases *= self._form_factor(int(number))
            total += phases
        return self._values(total)

    def correlation(self, values: FloatArray, number: int, variance: float) -> FloatArray:
        """Return (n1, n2, n3) the amplitude that an atom at each point has if it is fitted to the map `values`.

        Its blur has `variance`. This is the matched filter of the atom: among noise it shows the atom best.
        """
        atom = self.map_of(Peaks(np.zeros((1, 3)), np.array([number]), np.ones(1), np.array([variance])))
        waves = fft.rfftn(values) * fft.rfftn(atom).conj()  # pyright: ignore[reportAttributeAccessIssue]
        return np.asarray(fft.irfftn(waves, values.shape)) / np.square(atom).sum()

    def around(
        self, position: FloatArray, number: int, variance: float
    ) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
        """Return the peak of an atom at fractional coordinates `position` (3,) where it is high.

        Returns
        -------
        points : (m,)
            Indices into the flattened map.
        density : (m,) e⁻/Å³
        by_position : (m, 3) e⁻/Å³ per Å
            Its derivatives by the Cartesian coordinates of the atom.
        by_variance : (m,) e⁻/Å³
            Its derivatives by the variance of the blur.
        """
        indices = np.round(position * self.shape).astype(int) + self._surroundings
        blur, axes = self._principal_blur
        offsets = (indices / self.shape - position) @ self.lattice @ axes
        electrons, widths = gaussian_terms(number)
        spread = widths[:, None] / (8 * np.pi**2) + variance * blur + self._voxel_variance
        precisions = 1 / spread
        heights = electrons * np.sqrt(precisions.prod(axis=1) / (2 * np.pi) ** 3)
        squares = offsets**2
        terms = np.exp(-0.5 * squares @ precisions.T) * heights
        by_position = (terms @ precisions) * offsets @ axes.T
        stretched = squares @ (precisions**2 * blur).T - (precisions * blur).sum(axis=1)
        wrapped = indices % self.shape
        points = (wrapped[:, 0] * self.shape[1] + wrapped[:, 1]) * self.shape[2] + wrapped[:, 2]
        return points, terms.sum(axis=1), by_position, 0.5 * (terms * stretched).sum(axis=1)

    @cached_property
    def _waves(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Indices of the waves along each axis, (m1,), (m2,) and of the last the (m3,) that are not negative."""
        m1, m2, m3 = (self.shape * self.finer).tolist()
        return np.fft.fftfreq(m1, 1 / m1), np.fft.fftfreq(m2, 1 / m2), np.fft.rfftfreq(m3, 1 / m3)

    @cached_property
    def _averages(self) -> list[FloatArray]:
        """What means over voxels leave of the waves along each axis."""
        return [
            np.sinc(wave / n) / np.sinc(wave / (n * averaged))
            for wave, n, averaged in zip(self._waves, self.shape, self.averaged, strict=True)
        ]

    @cached_property
    def _squared_s(self) -> FloatArray:
        """(m1, m2, m3) Å⁻²: (sin θ/λ)² of every wave."""
        h1, h2, h3 = self._waves
        metric = np.linalg.inv(self.lattice @ self.lattice.T) / 4
        in_plane = metric[0, 0] * h1[:, None] ** 2 + 2 * metric[0, 1] * h1[:, None] * h2 + metric[1, 1] * h2**2
        mixed = 2 * (metric[0, 2] * h1[:, None] + metric[1, 2] * h2)
        return in_plane[:, :, None] + mixed[:, :, None] * h3 + metric[2, 2] * h3**2

    def _form_factor(self, number: int) -> NDArray[np.float32]:
        """Return the (m1, m2, m3) electrons that an atom without blur contributes to every wave."""
        if number not in self._form_factors:
            total = np.zeros(self._squared_s.shape)
            for electrons, width in zip(*gaussian_terms(number), strict=True):
                total += electrons * np.exp(-width * self._squared_s)
            self._form_factors[number] = total.astype(np.float32)
        return self._form_factors[number]

    def _values(self, structure_factors: SingleComplexArray) -> FloatArray:
        """Return the (n1, n2, n3) e⁻/Å³ of the (m1, m2, m3) electrons."""
        m1, m2, m3 = self.finer.tolist()
        partial = np.asarray(fft.ifft(structure_factors, axis=0))[::m1]
        partial = np.asarray(fft.ifft(partial, axis=1))[:, ::m2]
        fine = np.asarray(fft.irfft(partial, int(self.shape[2]) * m3, axis=2))
        return fine[:, :, ::m3] * ((self.shape * self.finer).prod() / self.volume)

    @cached_property
    def _principal_blur(self) -> tuple[FloatArray, FloatArray]:
        """(3,) Å² along the principal axes, for a variance of 1, and the (3, 3) axes as columns."""
        values, axes = np.linalg.eigh(self.lattice.T @ self.lattice)
        return values, axes

    @cached_property
    def _voxel_variance(self) -> FloatArray:
        """(3,) Å² by which means over voxels broaden along the axes of the blur."""
        covariance = (self.lattice.T * ((1 - 1 / self.averaged**2) / (12 * self.shape**2))) @ self.lattice
        axes = self._principal_blur[1]
        return np.einsum("ki,kl,li->i", axes, covariance, axes)

    @cached_property
    def _surroundings(self) -> IntArray:
        """(m, 3) steps on the grid to the points near a point; a fixed sample of them where there are many."""
        reach = np.ceil(PEAK_RADIUS * np.linalg.norm(np.linalg.inv(self.lattice), axis=0) * self.shape).astype(int)
        n1, n2, n3 = (np.arange(-n, n + 1) for n in reach)
        steps = np.stack(np.meshgrid(n1, n2, n3, indexing="ij"), axis=-1).reshape(-1, 3)
        near = steps[np.linalg.norm((steps / self.shape) @ self.lattice, axis=1) <= PEAK_RADIUS]
        if len(near) > MOST_POINTS:
            near = near[np.random.default_rng(0).choice(len(near), MOST_POINTS, replace=False)]
        return near
