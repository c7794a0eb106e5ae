"""What every simulator must fulfil."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from xtal_core.cells import CellBatch
from xtal_core.errors import InputError
from xtal_core.interfaces import PROFILE_PARAMETERS, DifferentiableSimulator
from xtal_core.measurement import Measurement, Profile
from xtal_core.pattern import FloatArray, Radiation

if TYPE_CHECKING:
    from xtal_core.interfaces import Linearisation, Simulator

#: Lattice (Å), fractional coordinates, atomic numbers.
Cell = tuple[FloatArray, FloatArray, list[int]]


class SimulatorConformance(ABC):
    """Tests of a simulator: subclass it as `Test…` and create the simulator.

        class TestMySimulator(SimulatorConformance):
            def create_simulator(self):
                return MySimulator(MyOptions())

    Attributes
    ----------
    tolerance
        How far, as a fraction of its largest value, patterns may differ that should be equal.
    scan_tolerance
        Likewise for volume scans, which may be approximate.
    """

    tolerance: ClassVar[float] = 1e-6
    scan_tolerance: ClassVar[float] = 0.02

    @abstractmethod
    def create_simulator(self) -> Simulator:
        """Return the simulator under test."""

    def measurement(self) -> Measurement:
        """Return the axis and radiation of the tests.

        The last reflection is given, because how far from the axis one still matters is the simulator's judgement.
        """
        return Measurement(np.linspace(1.0, 5.0, 801), Radiation.from_line("CuKa"), reflections_to=5.5)

    def profiles(self) -> list[Profile]:
        """Return profiles for the cells of `cells`."""
        return [
            Profile(crystallite_size=80.0, gaussian_sigma=0.03),
            Profile(gaussian_sigma=0.04, lorentzian_hwhm=0.01, b_iso=0.8),
            replace(self.rich_profile(), gaussian_sigma=0.025, march_axis=None),
        ]

    def rich_profile(self) -> Profile:
        """Return a profile in which every parameter has an effect."""
        return Profile(
            crystallite_size=100.0,
            gaussian_sigma=0.02,
            lorentzian_hwhm=0.003,
            b_iso=0.5,
            zero_shift=0.05,
            strain_sigma=0.004,
            strain_hwhm=0.001,
            instrument_sigma=0.3,
            instrument_hwhm=0.1,
            sample_displacement=-0.08,
            march_coefficient=0.7,
            march_axis=(1, 0, 2),
        )

    def cells(self) -> list[Cell]:
        """Return a tetragonal, a cubic and a triclinic cell, of different numbers of atoms."""
        x = 0.3053
        half = 0.5
        rutile = [[0, 0, 0], [half, half, half], [x, x, 0], [-x, -x, 0], [half + x, half - x, half]]
        rutile.append([half - x, half + x, half])
        triclinic = np.array([[4.1, 0, 0], [-1.2, 5.1, 0], [-0.7, 0.9, 6.0]])
        sites = [[0.11, 0.23, 0.31], [0.62, 0.17, 0.83], [0.37, 0.71, 0.05], [0.83, 0.55, 0.47]]
        return [
            (np.diag([4.594, 4.594, 2.959]), np.array(rutile), [22, 22, 8, 8, 8, 8]),
            (np.diag([4.123] * 3), np.array([[0.0, 0, 0], [half, half, half]]), [55, 17]),
            (triclinic, np.array(sites), [20, 6, 8, 8]),
        ]

    def test_a_batch_gives_what_single_cells_give(self) -> None:
        simulator, axis, cells, profiles = self._setting()
        together = simulator.simulate(CellBatch.from_cells(cells), axis, profiles)
        assert together.shape == (len(cells), len(axis.q))
        for row, cell, profile in zip(together, cells, profiles, strict=True):
            self._assert_equal(row, simulator.simulate(CellBatch.from_cells([cell]), axis, [profile])[0])

    def test_the_order_of_a_batch_does_not_matter(self) -> None:
        simulator, axis, cells, profiles = self._setting()
        forward = simulator.simulate(CellBatch.from_cells(cells), axis, profiles)
        backward = simulator.simulate(CellBatch.from_cells(cells[::-1]), axis, profiles[::-1])
        self._assert_equal(forward, backward[::-1])

    def test_a_single_profile_serves_all_cells(self) -> None:
        simulator, axis, cells, profiles = self._setting()
        batch = CellBatch.from_cells(cells)
        once = simulator.simulate(batch, axis, profiles[:1])
        self._assert_equal(once, simulator.simulate(batch, axis, profiles[:1] * len(cells)))

    def test_patterns_are_finite_not_negative_and_not_empty(self) -> None:
        simulator, axis, cells, profiles = self._setting()
        patterns = simulator.simulate(CellBatch.from_cells(cells), axis, profiles)
        assert np.isfinite(patterns).all()
        assert (patterns.max(axis=1) > 0).all()
        assert (patterns >= -self.tolerance * patterns.max(axis=1, keepdims=True)).all()

    def test_an_empty_batch_gives_no_patterns(self) -> None:
        simulator, axis, _, profiles = self._setting()
        assert simulator.simulate(CellBatch.from_cells([]), axis, profiles[:1]).shape == (0, len(axis.q))

    def test_patterns_do_not_depend_on_how_a_crystal_is_described(self) -> None:
        """Up to scale: other cells of the same lattice, supercells, orientation and origin."""
        simulator, axis, cells, profiles = self._setting()
        for cell, profile in zip(cells, profiles, strict=True):
            descriptions = [cell, *self._descriptions(cell)]
            patterns = simulator.simulate(CellBatch.from_cells(descriptions), axis, [profile])
            patterns = patterns / patterns.max(axis=1, keepdims=True)
            for pattern in patterns[1:]:
                self._assert_equal(pattern, patterns[0])

    def test_a_volume_scan_gives_what_scaled_cells_give(self) -> None:
        simulator, axis, cells, profiles = self._setting()
        factors = np.array([0.85, 1.0, 1.13])
        scan = simulator.scan_volume(CellBatch.from_cells(cells), axis, profiles[0], factors)
        assert scan.shape == (len(cells), 3, len(axis.q))
        for patterns, (lattice, fractional, numbers) in zip(scan, cells, strict=True):
            scaled = [(lattice * factor ** (1 / 3), fractional, numbers) for factor in factors]
            exact = simulator.simulate(CellBatch.from_cells(scaled), axis, profiles[:1])
            for pattern, expected in zip(patterns, exact, strict=True):
                scale = (pattern @ expected) / (pattern @ pattern)
                np.testing.assert_allclose(scale * pattern, expected, rtol=0, atol=self.scan_tolerance * expected.max())

    def test_patterns_of_partial_occupancies_scale_with_the_square_when_all_are_equal(self) -> None:
        simulator, axis, cells, profiles = self._setting()
        full = CellBatch.from_cells(cells)
        half = replace(full, occupancies=full.occupancies / 2)
        one, other = (simulator.simulate(batch, axis, profiles) for batch in (full, half))
        for a, b in zip(one, other, strict=True):
            self._assert_equal(a / a.max(), b / b.max())

    def test_the_same_question_gets_the_same_answer(self) -> None:
        _, axis, cells, profiles = self._setting()
        batch = CellBatch.from_cells(cells)
        one, other = (self.create_simulator().simulate(batch, axis, profiles) for _ in range(2))
        np.testing.assert_array_equal(one, other)

    def _setting(self) -> tuple[Simulator, Measurement, list[Cell], list[Profile]]:
        return self.create_simulator(), self.measurement(), self.cells(), self.profiles()

    def _assert_equal(self, actual: FloatArray, expected: FloatArray) -> None:
        np.testing.assert_allclose(actual, expected, rtol=0, atol=self.tolerance * np.abs(expected).max())

    def _descriptions(self, cell: Cell) -> list[Cell]:
        lattice, fractional, numbers = cell
        shear = np.array([[1, 2, -1], [0, 1, 1], [0, 0, 1]])
        rotation = np.linalg.qr(np.array([[0.2, -0.7, 0.4], [0.9, 0.3, -0.1], [0.3, 0.5, 0.8]]))[0]
        doubled = np.concatenate([fractional, np.add(fractional, [0, 1, 0])]) / [1, 2, 1]
        return [
            (shear @ lattice, fractional @ np.linalg.inv(shear), numbers),
            (lattice * [[1], [2], [1]], doubled, numbers * 2),
            (lattice @ rotation, fractional, numbers),
            (lattice, np.add(fractional, [0.17, 0.39, -0.28]), numbers),
        ]


class DifferentiableSimulatorConformance(SimulatorConformance):
    """Tests of a simulator with derivatives, besides those of every simulator.

    Attributes
    ----------
    derivative_tolerance
        How far derivatives may be from central differences, as a fraction of their largest value.
    """

    derivative_tolerance: ClassVar[float] = 1e-3

    @abstractmethod
    def create_simulator(self) -> DifferentiableSimulator:
        """Return the simulator under test."""

    def test_linearisation_holds_the_patterns_themselves(self) -> None:
        simulator, axis, cells, profiles = self._setting()
        linear = self._linearise([np.eye(6 + 3 * len(cell[2])) for cell in cells])
        self._assert_equal(linear.intensity, simulator.simulate(CellBatch.from_cells(cells), axis, profiles))

    def test_derivatives_along_strains_are_those_of_strained_cells(self) -> None:
        directions = [np.eye(6 + 3 * len(cell[2]))[:, :6] for cell in self.cells()]
        self._check_structure_derivatives(directions, self._strained, range(6))

    def test_derivatives_along_coordinates_are_those_of_shifted_atoms(self) -> None:
        def shifted(cell: Cell, component: int, step: float) -> Cell:
            fractional = np.array(cell[1], float)
            fractional.flat[component] += step
            return cell[0], fractional, cell[2]

        directions = [np.eye(6 + 3 * len(cell[2]))[:, 6:12] for cell in self.cells()]
        self._check_structure_derivatives(directions, shifted, range(6))

    def test_derivatives_are_linear_in_the_direction_and_zero_where_there_is_none(self) -> None:
        random = np.random.default_rng(0)
        full = self._linearise([np.eye(6 + 3 * len(cell[2])) for cell in self.cells()])
        directions = [random.normal(size=(6 + 3 * len(c[2]), i + 1)) for i, c in enumerate(self.cells())]
        mixed = self._linearise(directions)
        for index, direction in enumerate(directions):
            expected = full.structure_jacobian[index][:, : len(direction)] @ direction
            used = direction.shape[1]
            self._assert_equal(mixed.structure_jacobian[index][:, :used], expected)
            assert (mixed.structure_jacobian[index][:, used:] == 0).all()

    def test_derivatives_along_strains_include_the_turning_of_the_texture_axis(self) -> None:
        simulator, axis, cells, _ = self._setting()
        profile = [replace(self.rich_profile(), march_coefficient=0.4)]
        directions = [np.eye(6 + 3 * len(cell[2]))[:, :6] for cell in cells]
        batch = CellBatch.from_cells(cells)
        jacobian = simulator.linearise(batch, axis, profile, directions, ()).structure_jacobian
        step = 1e-5
        for component in range(6):
            plus, minus = (
                simulator.simulate(
                    CellBatch.from_cells([self._strained(cell, component, s) for cell in cells]), axis, profile
                )
                for s in (step, -step)
            )
            self._assert_derivative(jacobian[..., component], (plus - minus) / (2 * step), f"component {component}")

    def test_profile_derivatives_are_those_of_changed_profiles(self) -> None:
        simulator, axis, cells, _ = self._setting()
        profile = self.rich_profile()
        batch = CellBatch.from_cells(cells)
        directions = [np.zeros((6 + 3 * len(cell[2]), 0)) for cell in cells]
        jacobian = simulator.linearise(batch, axis, [profile], directions, PROFILE_PARAMETERS).profile_jacobian
        for column, name in enumerate(PROFILE_PARAMETERS):
            value = getattr(profile, name)
            step = 1e-4 * abs(value)
            plus, minus = (
                simulator.simulate(batch, axis, [replace(profile, **{name: value + s})]) for s in (step, -step)
            )
            self._assert_derivative(jacobian[..., column], (plus - minus) / (2 * step), name)

    def test_only_the_profile_derivatives_asked_for_are_returned_in_the_order_asked_for(self) -> None:
        simulator, axis, cells, _ = self._setting()
        batch = CellBatch.from_cells(cells)
        directions = [np.zeros((6 + 3 * len(cell[2]), 0)) for cell in cells]

        def jacobian(names: Sequence[str]) -> FloatArray:
            return simulator.linearise(batch, axis, [self.rich_profile()], directions, names).profile_jacobian

        chosen = [8, 0, 4]
        full, part = jacobian(PROFILE_PARAMETERS), jacobian([PROFILE_PARAMETERS[i] for i in chosen])
        for column, index in enumerate(chosen):
            self._assert_equal(part[..., column], full[..., index])
        assert jacobian(()).shape == (len(cells), len(axis.q), 0)

    def test_what_a_profile_lacks_has_no_derivative(self) -> None:
        simulator, axis, cells, _ = self._setting()
        batch = CellBatch.from_cells(cells)
        directions = [np.zeros((6 + 3 * len(cell[2]), 0)) for cell in cells]
        names = ("crystallite_size", "march_coefficient")
        assert not simulator.linearise(batch, axis, [Profile(None, 0.03)], directions, names).profile_jacobian.any()

    def test_an_unknown_profile_parameter_is_refused(self) -> None:
        with pytest.raises(InputError, match="crystalite_size"):
            self._setting()[0].linearise(
                CellBatch.from_cells([]), self.measurement(), [Profile(None, 0.03)], [], ["crystalite_size"]
            )

    def _setting(self) -> tuple[DifferentiableSimulator, Measurement, list[Cell], list[Profile]]:
        return self.create_simulator(), self.measurement(), self.cells(), self.profiles()

    def _strained(self, cell: Cell, component: int, step: float) -> Cell:
        strain = np.zeros((3, 3))
        row, column = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))[component]
        strain[row, column] += step / 2
        strain[column, row] += step / 2
        return cell[0] @ (np.eye(3) + strain), cell[1], cell[2]

    def _linearise(self, directions: list[FloatArray]) -> Linearisation:
        simulator, axis, cells, profiles = self._setting()
        return simulator.linearise(CellBatch.from_cells(cells), axis, profiles, directions, ())

    def _check_structure_derivatives(
        self, directions: list[FloatArray], changed: Callable[[Cell, int, float], Cell], components: range
    ) -> None:
        simulator, axis, cells, profiles = self._setting()
        jacobian = self._linearise(directions).structure_jacobian
        step = 1e-5
        for component in components:
            plus, minus = (
                simulator.simulate(CellBatch.from_cells([changed(c, component, s) for c in cells]), axis, profiles)
                for s in (step, -step)
            )
            expected = (plus - minus) / (2 * step)
            self._assert_derivative(jacobian[..., component], expected, f"component {component}")

    def _assert_derivative(self, actual: FloatArray, expected: FloatArray, label: str) -> None:
        """Compare cell by cell; a derivative that vanishes is compared with the largest of the batch."""
        for row, wanted in zip(actual, expected, strict=True):
            largest = max(np.abs(wanted).max(), 1e-3 * np.abs(expected).max())
            np.testing.assert_allclose(row, wanted, rtol=0, atol=self.derivative_tolerance * largest, err_msg=label)
