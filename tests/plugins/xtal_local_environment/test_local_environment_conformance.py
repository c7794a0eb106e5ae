import pytest

from xtal_core.testing.metrics import MetricConformance
from xtal_local_environment.acsf import ACSFMetric
from xtal_local_environment.plugin import ACSFOptions, SOAPOptions
from xtal_local_environment.soap import SOAPMetric


@pytest.fixture(autouse=True, params=["average", "rematch"], scope="class")
def kernel(request):
    request.cls.kernel = request.param
    # √(2 − 2 k) keeps half the digits of the kernel.
    request.cls.tolerance = request.cls.asymmetry = 1e-6 if request.param == "average" else 1e-5


class TestSOAPMetric(MetricConformance):
    def create_metric(self):
        return SOAPMetric(SOAPOptions(kernel=self.kernel))


class TestACSFMetric(MetricConformance):
    def create_metric(self):
        return ACSFMetric(ACSFOptions(kernel=self.kernel))
