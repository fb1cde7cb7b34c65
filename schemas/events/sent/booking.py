"""``booking.*.v1``: what became of a booking, on the bus."""

from schemas.events._model import EventType, Way
from schemas.fields import Slug, Uuid
from schemas.strict import Strict

_TITLES = {
    "confirmed": "Une réservation est confirmée",
    "waitlisted": "Une réservation est en liste d'attente",
    "cancelled": "Une réservation est annulée",
}


class BookingMoved(Strict):
    """Which booking, at which service."""

    booking_id = Uuid(required=True)
    service = Slug(required=True)


EVENTS = tuple(
    EventType(
        name=f"booking.{verb}.v1",
        title=title,
        schema=BookingMoved,
        way=Way.BUS,
        has_subject=False,
        example={"booking_id": "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10", "service": "lib_alcazar"},
    )
    for verb, title in _TITLES.items()
)
