"""Numbers with standard uncertainties as crystallographers write them: 5.4321(3)."""

from __future__ import annotations

import math

#: Two digits of an uncertainty are kept up to this number, one digit beyond (IUCr's rule of 19).
LARGEST_OF_TWO_DIGITS = 19

#: Uncertainties smaller than this, relative to the value, are rounding errors of what does not vary.
NOTHING = 1e-12


def with_uncertainty(
    value: float, uncertainty: float | None, decimals: int = 8, least_decimals: int | None = None
) -> str:
    """Return `value` with its standard uncertainty in units of the last digit, in parentheses.

    Without uncertainty, or with one that is no positive number, the value alone is returned, with so many `decimals`.
    `least_decimals` keeps at least so many, however uncertain they are: 4.123456(29876).
    """
    if uncertainty is None or not NOTHING * max(abs(value), 1.0) < uncertainty < math.inf:
        return f"{value:.{decimals}f}"
    # The exponent of the first digit, after rounding to two: 0.0996 is 10 in units of 0.01.
    exponent = math.floor(math.log10(float(f"{uncertainty:.1e}")))
    places = 1 - exponent
    if round(uncertainty * 10.0**places) > LARGEST_OF_TWO_DIGITS:
        places -= 1
    if least_decimals is not None:
        places = max(places, least_decimals)
    digits = round(uncertainty * 10.0**places)
    if places <= 0:
        unit = 10**-places
        return f"{round(value / unit) * unit:d}({digits * unit:d})"
    return f"{value:.{places}f}({digits})"
