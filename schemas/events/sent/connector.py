"""``connector.state_changed.v1``: a city system became reachable, or ceased to be."""

from schemas.events._model import EventType, Way
from schemas.fields import Slug
from schemas.strict import Strict


class ConnectorStateChanged(Strict):
    """Which profile, in which state now."""

    profile = Slug(required=True)
    state = Slug(required=True)


EVENTS = (
    EventType(
        name="connector.state_changed.v1",
        title="L'état d'un connecteur change",
        schema=ConnectorStateChanged,
        way=Way.BUS,
        has_subject=False,
        example={"profile": "library_marseille", "state": "open"},
    ),
)
