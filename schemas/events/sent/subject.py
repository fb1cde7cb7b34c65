"""``subject.erased.v1``: a partner is asked to forget; its 2xx is the acknowledgement."""

from schemas.events._model import EventType, Way
from schemas.fields import Text
from schemas.pii import pii
from schemas.strict import Strict


class SubjectErased(Strict):
    """The partner's own reference of the person."""

    subject = Text(at_most=256, required=True, metadata=pii("reference"))


EVENTS = (
    EventType(
        name="subject.erased.v1",
        title="Une personne demande l'effacement de ses données",
        schema=SubjectErased,
        way=Way.WEBHOOK,
        example={"subject": "C-2041"},
    ),
)
