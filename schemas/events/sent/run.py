"""``run.started.v1``, ``run.waited.v1``, ``run.ended.v1``: how the journeys move, on the bus."""

from schemas.events._model import EventType, Way
from schemas.fields import JourneyName, Slug, Uuid
from schemas.strict import Strict

_EXAMPLE = {
    "run_id": "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10",
    "journey": "library.arrival",
    "service": "lib_alcazar",
    "territory": "marseille",
}


class RunMoved(Strict):
    """Which run, of which journey; where, once that is chosen."""

    run_id = Uuid(required=True)
    journey = JourneyName(required=True)
    service = Slug()
    territory = Slug()


class RunEnded(RunMoved):
    """How it ended, too."""

    outcome = Slug(required=True)


EVENTS = (
    EventType(
        name="run.started.v1",
        title="Un parcours commence",
        schema=RunMoved,
        way=Way.BUS,
        has_subject=False,
        example={"run_id": _EXAMPLE["run_id"], "journey": _EXAMPLE["journey"]},
    ),
    EventType(
        name="run.waited.v1",
        title="Un parcours attend",
        schema=RunMoved,
        way=Way.BUS,
        has_subject=False,
        example=_EXAMPLE,
    ),
    EventType(
        name="run.ended.v1",
        title="Un parcours est terminé",
        schema=RunEnded,
        way=Way.BUS,
        has_subject=False,
        example=_EXAMPLE | {"outcome": "done"},
    ),
)
