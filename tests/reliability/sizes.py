"""How large the long campaigns are: whole, unless ``PARVIS_TEST_CAMPAIGN_SIZE`` asks for a part of them.

A hundredth shows within minutes that every long form stands on its feet; only 1 is evidence.
"""

import os

VARIABLE = "PARVIS_TEST_CAMPAIGN_SIZE"


def size() -> float:
    """Return the part of the long forms that was asked for: above 0, 1 at most."""
    asked = float(os.environ.get(VARIABLE) or 1)
    if not 0 < asked <= 1:
        message = f"{VARIABLE} is above 0, and 1 at most."
        raise ValueError(message)
    return asked


def sized(whole: int, *, least: int = 1) -> int:
    """Return the asked part of a number."""
    return max(least, round(whole * size()))
