"""``contact.withdrawn.v1``: a partner passes on that a person no longer agrees."""

from schemas.consent_proof import CHANNELS
from schemas.events._model import EventType
from schemas.fields import OneOf, Purpose
from schemas.strict import ListOf, Strict


class ContactWithdrawn(Strict):
    """For which purposes, by which channel."""

    purposes = ListOf(Purpose(), required=True)
    channel = OneOf(*CHANNELS, required=True)


EVENTS = (
    EventType(
        name="contact.withdrawn.v1",
        title="Une opposition est transmise",
        schema=ContactWithdrawn,
        example={"purposes": ["library.news"], "channel": "sms"},
    ),
)
