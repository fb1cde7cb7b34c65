"""What the five arrivals share: someone comes to live, study or play in a commune.

Only the commune is asked for: it is all the hub needs. What else an event says must be right, and
what it says of the person is kept only with a proof of consent (``schemas.consent_proof``).
"""

from typing import Any

from marshmallow import ValidationError

from schemas.consent_proof import ConsentProofSchema
from schemas.fields import E164, AgeBand, Bcp47, EmailAddress, InseeCode, Location, OneOf, Text
from schemas.pii import pii
from schemas.strict import Part, Strict, closed_object, describe_field


class Person(Strict):
    """The name the library's record is made with."""

    family_name = Text(required=True, metadata=pii("identity", "initial"))
    given_name = Text(required=True, metadata=pii("identity", "initial"))


class Contact(Strict):
    """Where the access code may be sent."""

    channel = OneOf("sms", "email", required=True)
    address = Text(at_most=254, required=True, metadata=pii("contact"))

    def settle(self, data: dict[str, Any]) -> dict[str, Any]:
        """Read the address as its channel wants it."""
        reader = _ADDRESSES[data["channel"]]
        try:
            return {**data, "address": reader.read(data["address"])}
        except ValidationError as error:
            raise ValidationError({"address": error.messages}) from None

    def describe(self) -> dict[str, Any]:
        """Return one shape per channel."""
        shapes = [self._describe_channel(channel) for channel in _ADDRESSES]
        return {"oneOf": shapes}

    def _describe_channel(self, channel: str) -> dict[str, Any]:
        channel_schema = {**describe_field(self.members["channel"]), "enum": [channel]}
        address = describe_field(_ADDRESSES[channel])
        return closed_object(
            {"channel": channel_schema, "address": address}, ["channel", "address"]
        )


_ADDRESSES = {"sms": E164(), "email": EmailAddress()}


class Arrival(Strict):
    """The members every arrival may have."""

    commune = InseeCode(required=True)
    location = Location()
    language = Bcp47()
    age_band = AgeBand()
    person = Part(Person)
    contact = Part(Contact)
    consent = Part(ConsentProofSchema)


EXAMPLE_PROOF = {
    "purposes": ["library.preregistration", "access_code.delivery"],
    "channel": "sms",
    "notice_version": "2026-09",
    "notice_sha256": "5f2c6f9a9d7b2d0c9a4a1d3b8e7f60514233445566778899aabbccddeeff0011",
    "method": "box",
    "collected_at": "2026-11-20T09:11:00.000Z",
    "locale": "fr",
    "collected_by": "Formulaire d'ouverture de contrat",
}
EXAMPLE_PERSON = {"family_name": "Exemple", "given_name": "Camille"}
EXAMPLE_CONTACT = {"channel": "sms", "address": "+33639980001"}
