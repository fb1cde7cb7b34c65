"""``key.expiring_announced.v1``: one of a partner's keys ends soon."""

from schemas.events._model import EventType, Way
from schemas.fields import Moment, Slug
from schemas.strict import Strict


class KeyExpiringAnnounced(Strict):
    """Which key, and when it ends."""

    key_id = Slug(required=True)
    expires_at = Moment(required=True)


EVENTS = (
    EventType(
        name="key.expiring_announced.v1",
        title="Une clé arrive à son terme",
        schema=KeyExpiringAnnounced,
        way=Way.WEBHOOK,
        has_subject=False,
        example={"key_id": "k1", "expires_at": "2026-12-20T00:00:00.000Z"},
    ),
)
