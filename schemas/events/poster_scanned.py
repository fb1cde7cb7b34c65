"""``poster.scanned.v1``: a tablet or a screen counted one scan. No person, no subject, no run."""

from schemas.events._model import EventType
from schemas.fields import PlacementToken
from schemas.strict import Strict


class PosterScanned(Strict):
    """Which poster, nothing else."""

    placement = PlacementToken(required=True)


EVENTS = (
    EventType(
        name="poster.scanned.v1",
        title="Une affiche connectée est scannée",
        schema=PosterScanned,
        has_subject=False,
        example={"placement": "AB12CD34"},
    ),
)
