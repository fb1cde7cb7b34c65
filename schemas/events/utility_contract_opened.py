"""``utility.contract_opened.v1``: an energy or water supplier opens a contract at an address."""

from schemas.events._arrival import EXAMPLE_CONTACT, EXAMPLE_PERSON, EXAMPLE_PROOF, Arrival
from schemas.events._model import EventType
from schemas.fields import Day, OneOf


class UtilityContractOpened(Arrival):
    """Which utility, and from which day on."""

    utility = OneOf("electricity", "gas", "water")
    starts_on = Day()


EVENTS = (
    EventType(
        name="utility.contract_opened.v1",
        title="Un contrat d'énergie ou d'eau est ouvert",
        schema=UtilityContractOpened,
        starts_run=True,
        example={
            "commune": "13055",
            "utility": "electricity",
            "starts_on": "2026-12-01",
            "language": "fr",
            "person": EXAMPLE_PERSON,
            "contact": EXAMPLE_CONTACT,
            "consent": EXAMPLE_PROOF,
        },
    ),
)
