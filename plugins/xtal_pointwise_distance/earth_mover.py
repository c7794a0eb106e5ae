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
    from ot.lp.emd_wrap import emd_c
finally:
    for _name, _value in _before.items():
        if _value is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _value


#: What the solver returns when it has found the optimum.
OPTIMAL = 1


def earth_movers_distance(first: FloatArray, second: FloatArray, costs: FloatArray) -> float:
    """Return the least cost of moving the weights `first` (n,) onto `second` (m,), both positive and summing to 1.

    `costs` (n, m) is the cost of moving a unit of weight. Raises ArithmeticError when the solver does not converge.
    """
    # Where all weight comes from one place, or goes to one, there is a single way to move it.
    if len(first) == 1:
        return float(costs[0] @ second)
    if len(second) == 1:
        return float(first @ costs[:, 0])
    # The solver that `ot.emd2` calls, without its checks and conversions, which take ten times as long. Like there,
    # rounding in the sums is made to agree.
    _, cost, _, _, code = emd_c(first, second * (first.sum() / second.sum()), costs, 10_000_000, 1)
    if code != OPTIMAL:
        raise ArithmeticError(f"the earth mover's distance was not found: POT's solver returned {code}")
    return float(cost)
