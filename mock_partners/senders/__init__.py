"""The senders' bench: partners that announce arrivals by signed CloudEvents.

Who they are is settings, never code. Use it as a library (builders, signatures, a small client) or as a
program that is told what happened and tells what the hub answered.
"""

from collections.abc import Mapping

from mock_partners.senders.bench import AskedWrongError, Bench
from mock_partners.senders.client import HubAnswer, HubClient, HubUnreachableError
from mock_partners.senders.events import (
    ARRIVALS,
    Notice,
    Sharing,
    arrival,
    cloud_event,
    new_event_id,
    proof,
)
from mock_partners.senders.partners import Sender
from mock_partners.senders.people import Newcomer, invent
from mock_partners.senders.signing import Key, SignedRequest, signed_text, spoilt

__all__ = [
    "ARRIVALS",
    "AskedWrongError",
    "Bench",
    "HubAnswer",
    "HubClient",
    "HubUnreachableError",
    "Key",
    "Newcomer",
    "Notice",
    "Sender",
    "Sharing",
    "SignedRequest",
    "arrival",
    "build",
    "cloud_event",
    "invent",
    "new_event_id",
    "proof",
    "signed_text",
    "spoilt",
]


def build(settings: Mapping[str, object]) -> Bench:
    """The bench with the senders of the settings.

    Raises:
        ValueError: the settings hold an unknown key, or a key of the wrong form.
    """
    return Bench(settings)
