"""``student_card.issued.v1``: a university or its student services issue a card."""

from schemas.events._arrival import EXAMPLE_PERSON, EXAMPLE_PROOF, Arrival
from schemas.events._model import EventType
from schemas.fields import Day, InstitutionCode


class StudentCardIssued(Arrival):
    """By which institution, and until which day it holds."""

    institution = InstitutionCode()
    valid_until = Day()


EVENTS = (
    EventType(
        name="student_card.issued.v1",
        title="Une carte d'étudiant est délivrée",
        schema=StudentCardIssued,
        starts_run=True,
        example={
            "commune": "13001",
            "institution": "999000111",
            "valid_until": "2027-09-30",
            "age_band": "18_25",
            "person": EXAMPLE_PERSON,
            "contact": {"channel": "email", "address": "camille.exemple@example.org"},
            "consent": EXAMPLE_PROOF | {"channel": "email"},
        },
    ),
)
