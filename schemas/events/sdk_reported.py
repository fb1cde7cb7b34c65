"""``sdk.reported.v1``: a partner's sender tells how it fares. Counters only, nobody in them."""

from schemas.events._model import EventType
from schemas.fields import Count, Moment, SignedCount, Text
from schemas.pii import NOT_PERSONAL
from schemas.strict import Part, Strict


class Losses(Strict):
    """Events that were not delivered since the last report, by reason."""

    queue_overflow = Count()
    expired = Count()
    rejected = Count()
    corrupt = Count()
    before_send = Count()
    send_error = Count()


class SdkReported(Strict):
    """Losses by reason, what waits in the spool, how far the clock is off, which version."""

    counters = Part(Losses, required=True)
    spool_depth = Count()
    oldest_age = Count(metadata=NOT_PERSONAL | {"description": "En secondes."})
    clock_offset = SignedCount(metadata=NOT_PERSONAL | {"description": "En secondes."})
    version = Text(at_most=40, metadata=NOT_PERSONAL)
    since = Moment()


EVENTS = (
    EventType(
        name="sdk.reported.v1",
        title="Un émetteur rend compte de sa file",
        schema=SdkReported,
        has_subject=False,
        example={
            "counters": {"queue_overflow": 0, "expired": 2, "rejected": 0},
            "spool_depth": 14,
            "oldest_age": 5400,
            "clock_offset": -3,
            "version": "1.0.0",
            "since": "2026-11-20T08:00:00.000Z",
        },
    ),
)
