"""``sport.membership_opened.v1``: someone joins a sports club."""

from schemas.events._arrival import Arrival
from schemas.events._model import EventType
from schemas.fields import Season, Slug


class SportMembershipOpened(Arrival):
    """Which sport of the catalogue, and for which season."""

    sport = Slug()
    season = Season()


EVENTS = (
    EventType(
        name="sport.membership_opened.v1",
        title="Une adhésion à un club sportif est ouverte",
        schema=SportMembershipOpened,
        starts_run=True,
        example={
            "commune": "83050",
            "sport": "tennis",
            "season": "2026-2027",
            "age_band": "26_64",
            "location": {"lat": 43.537, "lon": 6.464},
        },
    ),
)
