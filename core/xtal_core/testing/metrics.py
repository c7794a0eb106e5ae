"""What every metric of structures must fulfil."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Lattice, Structure

from xtal_core.errors import InputError
from xtal_core.testing.similarity import SimilarityConformance

#: A unimodular matrix: the same lattice, strongly sheared.
SHEAR = ((1, 3, -2), (0, 1, 4), (0, 0, 1))


class MetricConformance(SimilarityConformance):
    """Tests of a metric of structures: subclass it as `Test…` and create the metric.

        class TestMyMetric(MetricConformance):
            def create_metric(self):
                return MyMetric(MyOptions())

    See `SimilarityConformance` for the tolerances.
    """

    compares = "structures"

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

    def items(self) -> list[Structure]:
        """Return the structures."""
        return self.structures()

    def distorted(self, item: Structure) -> Structure:
        """Return `item` strained by 1 % along one axis and with its first site displaced by about 0.1 Å."""
        coordinates = item.frac_coords.copy()
        coordinates[0] += 0.1 / np.array(item.lattice.abc)
        matrix = item.lattice.matrix @ np.diag([1.01, 1.0, 1.0])
        return Structure(matrix, item.species_and_occu, coordinates)

    def test_values_do_not_depend_on_how_a_crystal_is_described(self) -> None:
        """Cell, orientation, origin and order of the sites are conventions that no value depends on."""
        metric = self.create_metric()
        for structure in self.structures():
            distorted = self.distorted(structure)
            expected = self.value(metric, structure, distorted)
            for description, same in self._descriptions(structure).items():
                for value, wanted in (
                    (self.value(metric, structure, same), self.identical),
                    (self.value(metric, same, distorted), expected),
                ):
                    message = f"{structure.composition.reduced_formula}, {description}"
                    np.testing.assert_allclose(value, wanted, rtol=0, atol=self.tolerance, err_msg=message)

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
