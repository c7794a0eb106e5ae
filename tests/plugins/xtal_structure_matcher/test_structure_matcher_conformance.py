from xtal_core.testing.metrics import MetricConformance
from xtal_structure_matcher.metric import StructureMatcherMetric
from xtal_structure_matcher.plugin import StructureMatcherOptions


class TestStructureMatcherMetric(MetricConformance):
    def create_metric(self):
        return StructureMatcherMetric(StructureMatcherOptions())
