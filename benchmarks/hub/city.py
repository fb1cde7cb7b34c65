"""Puts the measures' journeys and their system among the product's, in this process only.

Both are found like any other of their kind, in a folder that their package looks into; no class and
no table of the product is touched, so that what is measured is the product.
"""

from pathlib import Path
from typing import Final
from uuid import UUID

import connectors
from orchestrator import journeys

_HERE: Final = Path(__file__).parent
OFFICES: Final = ("office_1", "office_2", "office_3")
SYSTEMS: Final = tuple(f"system_{number}" for number in range(1, 6))
PEOPLE: Final = 256
CHOICES: Final = {
    "bench.three_calls": OFFICES,
    **{f"bench.{system}": (system,) for system in SYSTEMS},
}
"""By journey, the offices over which its runs are spread."""


def install() -> None:
    """Make the journeys and the system known; before anything asks for either catalogue."""
    connectors.__path__.append(str(_HERE / "systems"))
    journeys.__path__.append(str(_HERE / "journeys"))


def person_of(number: int) -> UUID:
    """Return the person that a number stands for, out of those who agreed beforehand."""
    return UUID(f"00000000-0000-7000-8000-0000000000{number % PEOPLE:02x}")
