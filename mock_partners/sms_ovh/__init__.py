"""An SMS gateway shaped like OVH's: signed calls, partial refusals inside a success, credits, deferral.

The texts accepted are read at ``GET /_mock/messages``; they are never in the journal.
"""

from collections.abc import Mapping

from mock_partners.clock import MockClock
from mock_partners.desk import Desk
from mock_partners.faults import RECEIVING
from mock_partners.sms_ovh.access import signature
from mock_partners.sms_ovh.gateway import Gateway
from mock_partners.sms_ovh.settings import GatewaySettings

__all__ = ["Gateway", "GatewaySettings", "build", "signature"]


def build(settings: Mapping[str, object]) -> Desk:
    """One gateway behind its fault switch.

    Raises:
        ValueError: the settings hold an unknown key or miss one.
    """
    clock = MockClock()
    return Desk(Gateway(GatewaySettings.read(settings), clock), faults=RECEIVING, clock=clock)
