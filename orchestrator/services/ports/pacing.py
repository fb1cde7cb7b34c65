"""How the calls of all processes share a system that takes so many a second."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What was taken: ``given`` calls, the first one in ``first_in`` seconds, the others after it.

    The calls that got none have places in the queue, the first one in ``place_in`` seconds.
    """

    given: int
    first_in: float
    place_in: float


class Paces(Protocol):
    """The pace of each system, shared by all processes."""

    def take(self, profile: str, *, rate: int, wanted: int, soon: float) -> Turns:
        """Take the turns that are free within ``soon`` seconds, and places for the other calls.

        Raises:
            StoreUnavailableError: nothing was taken.
        """
