import math

from xtal_core.testing import PatternMetricConformance
from xtal_pattern_similarity.distances import CosineMetric, L1Metric
from xtal_pattern_similarity.plugin import CosineOptions, L1Options, R2wpOptions, RwpOptions
from xtal_pattern_similarity.residuals import R2wpMetric, RwpMetric


class TestR2wpMetric(PatternMetricConformance):
    asymmetry = math.inf

    def create_metric(self):
        return R2wpMetric(R2wpOptions())


class TestR2wpMetricScaledByLeastSquares(PatternMetricConformance):
    asymmetry = math.inf

    def create_metric(self):
        return R2wpMetric(R2wpOptions(scale="least-squares"))


class TestRwpMetric(PatternMetricConformance):
    asymmetry = math.inf

    def create_metric(self):
        return RwpMetric(RwpOptions())


class TestCosineMetric(PatternMetricConformance):
    def create_metric(self):
        return CosineMetric(CosineOptions())


class TestL1Metric(PatternMetricConformance):
    def create_metric(self):
        return L1Metric(L1Options())
