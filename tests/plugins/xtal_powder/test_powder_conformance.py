from xtal_core.testing import DifferentiableSimulatorConformance
from xtal_powder.plugin import PowderOptions
from xtal_powder.simulator import PowderSimulator


class TestPowderSimulator(DifferentiableSimulatorConformance):
    derivative_tolerance = 1e-5
    scan_tolerance = 0.005

    def create_simulator(self):
        return PowderSimulator(PowderOptions())


class TestPowderSimulatorWithThePublishedCodesKernel(DifferentiableSimulatorConformance):
    derivative_tolerance = 1e-5
    scan_tolerance = 0.005

    def create_simulator(self):
        return PowderSimulator(PowderOptions(kernel="code"))
