"""``poster.registration_requested.v1``: someone signs up on the page of a connected poster.

Sent by our own page only. ``interests`` travels with it because the person chose them on that very
form; they are kept with the consent the page asked for them.
"""

from schemas.events._arrival import EXAMPLE_CONTACT, EXAMPLE_PERSON, EXAMPLE_PROOF, Arrival
from schemas.events._model import EventType
from schemas.fields import PlacementToken, Slug
from schemas.pii import pii
from schemas.strict import ListOf


class PosterRegistrationRequested(Arrival):
    """Which poster, and the interests the person typed."""

    placement = PlacementToken(required=True)
    interests = ListOf(Slug(), at_least=0, metadata=pii("interest"))


EVENTS = (
    EventType(
        name="poster.registration_requested.v1",
        title="Une inscription est demandée depuis une affiche connectée",
        schema=PosterRegistrationRequested,
        starts_run=True,
        is_own_page_only=True,
        example={
            "commune": "83050",
            "placement": "AB12CD34",
            "language": "fr",
            "age_band": "26_64",
            "person": EXAMPLE_PERSON,
            "contact": EXAMPLE_CONTACT,
            "consent": EXAMPLE_PROOF | {"collected_by": "Affiche AB12CD34"},
            "interests": ["bande_dessinee", "jardinage"],
        },
    ),
)
