import pytest
from pymatgen.core import Lattice, Structure

from xtal_core.testing import MetricConformance
from xtal_example.plugin import VolumePerAtomOptions
from xtal_example.volume_metric import VolumePerAtom


class TestVolumePerAtom(MetricConformance):
    def create_metric(self):
        return VolumePerAtom(VolumePerAtomOptions())


def test_the_value_is_the_difference_of_volumes_per_atom():
    metric = VolumePerAtom(VolumePerAtomOptions())
    one, two = (Structure(Lattice.cubic(edge), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]]) for edge in (2.0, 3.0))
    assert metric.compare(metric.featurise([one]), metric.featurise([two])) == pytest.approx((27 - 8) / 2)
