import pytest

from xtal_core.testing.metrics import MetricConformance
from xtal_pointwise_distance.amd import AMDMetric
from xtal_pointwise_distance.pdd import PDDMetric
from xtal_pointwise_distance.plugin import AMDOptions, PDDOptions


class TestPDDMetric(MetricConformance):
    @pytest.fixture(autouse=True, params=[{}, {"collapse": None}, {"elements": True}], ids=str)
    def options(self, request):
        self._options = PDDOptions(**request.param)

    def create_metric(self):
        return PDDMetric(self._options)


class TestAMDMetric(MetricConformance):
    @pytest.fixture(autouse=True, params=[{}, {"elements": True}], ids=str)
    def options(self, request):
        self._options = AMDOptions(**request.param)

    def create_metric(self):
        return AMDMetric(self._options)
