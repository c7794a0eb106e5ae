from xtal_core.testing.metrics import MetricConformance
from xtal_pointwise_distance.amd import AMDMetric
from xtal_pointwise_distance.pdd import PDDMetric
from xtal_pointwise_distance.plugin import AMDOptions, PDDOptions


class TestPDDMetric(MetricConformance):
    def create_metric(self):
        return PDDMetric(PDDOptions())


class TestAMDMetric(MetricConformance):
    def create_metric(self):
        return AMDMetric(AMDOptions())
