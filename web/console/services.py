"""What the console uses, named once; the composition root fills it."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.services.connector_views import ConnectorViews
from orchestrator.services.run_views import RunViews
from orchestrator.services.staff_entry import StaffEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleServices:
    """The use cases of the console; ``city`` is the name above its pages."""

    entry: StaffEntry
    runs: RunViews
    connectors: ConnectorViews
    city: Callable[[], str]
