"""``lease.signed.v1``: an estate agency or a social landlord signs a lease."""

from schemas.events._arrival import EXAMPLE_PERSON, EXAMPLE_PROOF, Arrival
from schemas.events._model import EventType
from schemas.fields import Day, OneOf


class LeaseSigned(Arrival):
    """From which day on, and what kind of dwelling."""

    starts_on = Day()
    dwelling = OneOf("flat", "house", "room")


EVENTS = (
    EventType(
        name="lease.signed.v1",
        title="Un bail est signé",
        schema=LeaseSigned,
        starts_run=True,
        example={
            "commune": "84129",
            "starts_on": "2026-12-01",
            "dwelling": "flat",
            "person": EXAMPLE_PERSON,
            "consent": EXAMPLE_PROOF | {"purposes": ["library.preregistration"], "channel": "none"},
        },
    ),
)
