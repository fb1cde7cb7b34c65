"""``consent.*.v1``: a consent record was added; its id and its purposes, never whose it is."""

from schemas.events._model import EventType, Way
from schemas.fields import Purpose, Uuid
from schemas.strict import ListOf, Strict

_TITLES = {
    "given": "Un consentement est donné",
    "refused": "Un consentement est refusé",
    "withdrawn": "Un consentement est retiré",
    "expired": "Un consentement arrive à son terme",
    "renewed": "Un consentement est renouvelé",
}


class ConsentRecorded(Strict):
    """Which record, for which purposes."""

    record_id = Uuid(required=True)
    purposes = ListOf(Purpose(), required=True)


EVENTS = tuple(
    EventType(
        name=f"consent.{verb}.v1",
        title=title,
        schema=ConsentRecorded,
        way=Way.BUS,
        has_subject=False,
        example={
            "record_id": "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10",
            "purposes": ["library.preregistration"],
        },
    )
    for verb, title in _TITLES.items()
)
