"""Puts the measures' journeys and system among the product's, in this process only.

Choosing a service is a step of its own in a real journey; the floor has no such step, so here every
run finds its services chosen already. Nothing else of the product is touched.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import connectors
from orchestrator import journeys
from orchestrator.engine.runs import Run

_HERE: Final = Path(__file__).parent
OFFICES: Final = ("card_office", "account_office", "messenger")
SYSTEMS: Final = tuple(f"system_{number}" for number in range(1, 6))
_CHOSEN: Final = {name: {"service_id": name} for name in (*OFFICES, *SYSTEMS)}
_outputs = Run.outputs


def install() -> None:
    """Make the journeys and the system known; before anything asks for either catalogue."""
    connectors.__path__.append(str(_HERE / "systems"))
    journeys.__path__.append(str(_HERE / "journeys"))
    Run.outputs = _outputs_with_services  # type: ignore[method-assign]


def _outputs_with_services(run: Run) -> dict[str, Mapping[str, Any]]:
    return {**_CHOSEN, **_outputs(run)}
