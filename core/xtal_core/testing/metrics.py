"""What every metric of structures must fulfil."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pymatgen.core import Lattice, Structure

from xtal_core.errors import InputError

if TYPE_CHECKING:
    from xtal_core.interfaces import SimilarityMetric

#: A unimodular matrix: the same lattice, strongly sheared.
SHEAR = ((1, 3, -2), (0, 1, 4), (0, 0, 1))


class MetricConformance(ABC):
    """Tests of a metric of structures: subclass it as `Test…` and create the metric.

        class TestMyMetric(MetricConformance):
            def create_metric(self):
                return MyMetric(MyOptions())

    Attributes
    ----------
    identical
        The value between a structure and itself: 0 for distances, 1 for correlations.
    tolerance
        How far, in units of the metric, values may differ between equal crystals.
    asymmetry
        How far, in units of the metric, swapping the two structures may change a value.
    """

    identical: ClassVar[float] = 0.0
    tolerance: ClassVar[float] = 1e-6
    asymmetry: ClassVar[float] = 1e-6

    @abstractmethod
    def create_metric(self) -> SimilarityMetric:
        """Return the metric under test."""

    def structures(self) -> list[Structure]:
        """Return ordered crystals of different compositions; override for a metric that cannot take these."""
        u = 0.3053
        rutile = Structure(
            Lattice.tetragonal(4.594, 2.959),
            ["Ti", "Ti", "O", "O", "O", "O"],
            [[0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [-u, -u, 0], [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5]],
        )
        rock_salt = Structure(2.82 * (1 - np.eye(3)), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        triclinic = Structure(
            Lattice.from_parameters(4.1, 5.3, 6.2, 81, 97, 104),
            ["Ca", "C", "O", "O"],
            [[0.11, 0.23, 0.31], [0.62, 0.17, 0.83], [0.37, 0.71, 0.05], [0.83, 0.55, 0.47]],
        )
        return [rutile, rock_salt, triclinic]

    def test_attributes_describe_the_metric(self) -> None:
        """The name can be typed and the attributes have one of the values they may have."""
        metric = self.create_metric()
        assert metric.name == metric.name.lower()
        assert not set(metric.name) & set(" _.=")
        assert metric.compares == "structures"
        assert metric.better in ("lower", "higher")
        assert not np.isnan(metric.same_below)

    def test_a_structure_is_identical_to_itself_and_called_the_same(self) -> None:
        """The value of a structure with itself is `identical`, and on the right side of `same_below`."""
        metric = self.create_metric()
        for structure in self.structures():
            value = self._value(metric, structure, structure)
            np.testing.assert_allclose(value, self.identical, rtol=0, atol=self.tolerance)
            assert value <= metric.same_below if metric.better == "lower" else value >= metric.same_below

    def test_different_structures_are_less_alike_or_no_match(self) -> None:
        """Other compounds, and a distortion, are told apart from the structure itself."""
        metric = self.create_metric()
        first, *others = self.structures()
        for other in [*others, self._distorted(first)]:
            value = self._value(metric, first, other)
            worse = value > self.identical if metric.better == "lower" else value < self.identical
            assert np.isnan(value) or (worse and abs(value - self.identical) > self.tolerance)

    def test_values_do_not_depend_on_how_a_crystal_is_described(self) -> None:
        """Cell, orientation, origin and order of the sites are conventions that no value depends on."""
        metric = self.create_metric()
        for structure in self.structures():
            distorted = self._distorted(structure)
            expected = self._value(metric, structure, distorted)
            for description, same in self._descriptions(structure).items():
                for value, wanted in (
                    (self._value(metric, structure, same), self.identical),
                    (self._value(metric, same, distorted), expected),
                ):
                    message = f"{structure.composition.reduced_formula}, {description}"
                    np.testing.assert_allclose(value, wanted, rtol=0, atol=self.tolerance, err_msg=message)

    def test_swapping_the_structures_changes_values_no_more_than_claimed(self) -> None:
        """What A is to B, B is to A."""
        metric = self.create_metric()
        structures = self.structures()
        features = metric.featurise([*structures, *map(self._distorted, structures)])
        matrix = metric.compare(features, features)
        np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=self.asymmetry)

    def test_a_batch_gives_the_matrix_of_its_pairs(self) -> None:
        """Comparing n with m structures gives (n, m) values, each that of its pair alone."""
        metric = self.create_metric()
        first, second = self.structures()[:2], self.structures()
        matrix = metric.compare(metric.featurise(first), metric.featurise(second))
        pairs = [[self._value(metric, one, other) for other in second] for one in first]
        assert np.shape(matrix) == (2, len(second))
        np.testing.assert_allclose(matrix, pairs, rtol=0, atol=self.tolerance)

    def test_an_empty_batch_gives_an_empty_matrix(self) -> None:
        """Comparing nothing is not an error."""
        metric = self.create_metric()
        features = metric.featurise(self.structures())
        assert metric.featurise([]) == []
        assert np.shape(metric.compare([], features)) == (0, len(features))
        assert np.shape(metric.compare(features, [])) == (len(features), 0)

    def test_values_are_finite_or_nan(self) -> None:
        """No match is NaN, never infinity."""
        metric = self.create_metric()
        features = metric.featurise(self.structures())
        assert not np.isinf(metric.compare(features, features)).any()

    def test_values_are_reproduced_to_the_last_digit(self) -> None:
        """Neither chance nor what was compared before plays a part."""
        structures = self.structures()
        matrices = []
        for metric in (self.create_metric(), self.create_metric()):
            features = metric.featurise(structures)
            matrices.append(metric.compare(features, features))
        np.testing.assert_array_equal(*matrices)

    def test_structures_are_left_as_they_were(self) -> None:
        """A metric works on copies."""
        metric = self.create_metric()
        structures, untouched = self.structures(), self.structures()
        features = metric.featurise(structures)
        metric.compare(features, features)
        for structure, before in zip(structures, untouched, strict=True):
            np.testing.assert_array_equal(structure.lattice.matrix, before.lattice.matrix)
            np.testing.assert_array_equal(structure.frac_coords, before.frac_coords)
            assert structure.species_and_occu == before.species_and_occu

    def test_a_structure_it_cannot_take_is_an_input_error(self) -> None:
        """Vacancies, disorder and an empty cell are either compared, or refused as bad input."""
        metric = self.create_metric()
        lattice = Lattice.cubic(4.2)
        vacancies = Structure(lattice, [{"Na": 0.7}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        disordered = Structure(lattice, [{"Na": 0.5, "K": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for structure in (vacancies, disordered, Structure(lattice, [], [])):
            try:  # anything but an InputError fails the test
                features = metric.featurise([structure])
            except InputError:
                continue
            value = metric.compare(features, features)
            np.testing.assert_allclose(value, self.identical, rtol=0, atol=self.tolerance)

    def _value(self, metric: SimilarityMetric, first: Structure, second: Structure) -> Any:
        return metric.compare(metric.featurise([first]), metric.featurise([second]))[0, 0]

    def _distorted(self, structure: Structure) -> Structure:
        """Return `structure` strained by 1 % along one axis and with its first site displaced by about 0.1 Å."""
        coordinates = structure.frac_coords.copy()
        coordinates[0] += 0.1 / np.array(structure.lattice.abc)
        matrix = structure.lattice.matrix @ np.diag([1.01, 1.0, 1.0])
        return Structure(matrix, structure.species_and_occu, coordinates)

    def _descriptions(self, structure: Structure) -> dict[str, Structure]:
        """Return the same crystal in other cells, orientations, origins and orders."""
        rotation = np.linalg.qr([[0.2, -0.7, 0.4], [0.9, 0.3, -0.1], [0.3, 0.5, 0.8]])[0]
        rotation *= np.linalg.det(rotation)
        matrix, species, coordinates = structure.lattice.matrix, structure.species_and_occu, structure.frac_coords
        order = np.random.default_rng(0).permutation(len(structure))
        return {
            "supercell": structure.make_supercell([[2, 1, 0], [0, 1, 0], [0, 0, 1]], in_place=False),
            "sheared cell": structure.make_supercell(SHEAR, in_place=False),
            "LLL-reduced cell": structure.get_reduced_structure("LLL"),
            "rotated": Structure(matrix @ rotation, species, coordinates),
            "other origin": Structure(matrix, species, np.add(coordinates, [0.137, 0.471, 0.823])),
            "sites in other cells": Structure(matrix, species, coordinates + np.outer(order, [1, -2, 3])),
            "sites in another order": Structure(matrix, [species[i] for i in order], coordinates[order]),
        }
