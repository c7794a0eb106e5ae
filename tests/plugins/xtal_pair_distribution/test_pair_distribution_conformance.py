from xtal_core.testing.metrics import MetricConformance
from xtal_pair_distribution.metrics import PearsonMetric, rw_metric
from xtal_pair_distribution.plugin import PearsonOptions, RwOptions


class TestSymmetrisedRw(MetricConformance):
    asymmetry = 0.0

    def create_metric(self):
        return rw_metric(RwOptions())


class TestPlainRw(MetricConformance):
    asymmetry = 1.0

    def create_metric(self):
        return rw_metric(RwOptions(form="plain", r_max=10.0))


class TestUnmorphedRw(MetricConformance):
    asymmetry = 0.0

    def create_metric(self):
        return rw_metric(RwOptions(morph=False, r_max=10.0))


class TestPearson(MetricConformance):
    asymmetry = 0.0

    def create_metric(self):
        return PearsonMetric(PearsonOptions())
