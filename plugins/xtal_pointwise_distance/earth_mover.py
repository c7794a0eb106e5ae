"""Earth mover's distance by POT, imported without the array libraries that POT would otherwise load."""

from __future__ import annotations

import os

from xtal_core.pattern import FloatArray

# POT imports every array library it finds unless told not to. torch alone takes seconds, and numpy is all we need.
# The environment is put back, so that programs started from here see what the user set.
_SWITCHES = [f"POT_BACKEND_DISABLE_{library}" for library in ("PYTORCH", "JAX", "TENSORFLOW", "CUPY")]
_before = {name: os.environ.get(name) for name in _SWITCHES}
os.environ.update(dict.fromkeys(_SWITCHES, "1"))
try:
    import ot
finally:
    for _name, _value in _before.items():
        if _value is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _value


def earth_movers_distance(first: FloatArray, second: FloatArray, costs: FloatArray) -> float:
    """Return the least cost of moving the weights `first` (n,) onto `second` (m,), both summing to 1.

    `costs` (n, m) is the cost of moving a unit of weight. Raises ArithmeticError when the solver does not converge.
    """
    value, log = ot.emd2(first, second, costs, numItermax=10_000_000, log=True)
    if log["warning"]:
        raise ArithmeticError(f"the earth mover's distance was not found: {log['warning']}")
    return float(value)
