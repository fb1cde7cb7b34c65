"""A Koha that exists in memory only, faithful to its REST documents (patrons, holds, bookings, loans).

Every refusal of the real one is kept: unknown members, both kinds of 409, lists that match by "contains"
unless told otherwise, the lock-out after failed passwords.
"""

from collections.abc import Mapping

from mock_partners.clock import MockClock
from mock_partners.desk import Desk
from mock_partners.faults import RECEIVING
from mock_partners.koha.settings import KohaSettings
from mock_partners.koha.system import Koha

__all__ = ["Koha", "KohaSettings", "build"]

FAULTS = RECEIVING | {"session_lost"}


def build(settings: Mapping[str, object]) -> Desk:
    """One Koha installation behind its fault switch.

    Raises:
        ValueError: the settings hold an unknown key or miss one.
    """
    clock = MockClock()
    return Desk(Koha(KohaSettings.read(settings), clock), faults=FAULTS, clock=clock)
