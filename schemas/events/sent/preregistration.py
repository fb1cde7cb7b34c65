"""``preregistration.ready.v1``: a partner may hand a claim address over in its welcome kit."""

from schemas.events._model import EventType, Way
from schemas.fields import Day, HttpsAddress, Text
from schemas.pii import pii
from schemas.strict import Strict


class PreregistrationReady(Strict):
    """For which of its references, where the code is claimed, and until which day."""

    subject = Text(at_most=256, required=True, metadata=pii("reference"))
    claim_url = HttpsAddress(required=True)
    valid_until = Day(required=True)


EVENTS = (
    EventType(
        name="preregistration.ready.v1",
        title="Une préinscription peut être remise",
        schema=PreregistrationReady,
        way=Way.WEBHOOK,
        example={
            "subject": "C-2041",
            "claim_url": "https://parvis.example.org/code",
            "valid_until": "2027-02-20",
        },
    ),
)
