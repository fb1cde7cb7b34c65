"""What people use to look after runs, wired: their views, acts, dead letters, replays."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from orchestrator import journeys
from orchestrator.engine.journey import Journey
from orchestrator.services.dead_letters import DeadLetters
from orchestrator.services.human_tasks import HumanTasks
from orchestrator.services.replays import Replays
from orchestrator.services.run_operations import RunOperations
from orchestrator.services.run_views import RunViews
from orchestrator.services.signals import SignalsByHand
from orchestrator.store.connections import Database
from orchestrator.store.dead_letters import DeadLetterTable
from orchestrator.store.human_tasks import HumanTaskRows
from orchestrator.store.notifier import Notifier
from orchestrator.store.operations import RunActTable
from orchestrator.store.replays import ReplayTable
from orchestrator.store.runs import RunStore
from orchestrator.store.signalling import HandSignalTable
from orchestrator.store.vault import Vault
from orchestrator.store.views import RunViewRows


def _versions() -> Mapping[tuple[str, int], Journey]:
    return journeys.all_journeys()


@dataclass(frozen=True, kw_only=True)
class Repairs:
    """Made on the parts of a hub."""

    database: Database
    vault: Vault
    notifier: Notifier
    runs: RunStore

    @cached_property
    def views(self) -> RunViews:
        """Runs as people read them."""
        return RunViews(
            rows=RunViewRows(self.database, self.vault),
            journeys=journeys.journey_for,
            journey_names=sorted({name for name, _ in _versions()}),
        )

    @cached_property
    def acts(self) -> RunActTable:
        """What people did to runs."""
        return RunActTable(self.database, self.vault, self.notifier)

    @cached_property
    def operations(self) -> RunOperations:
        """The acts on one run."""
        return RunOperations(rows=self.acts, cancels=self.runs, versions=_versions)

    @cached_property
    def signals(self) -> SignalsByHand:
        """What people tell runs that wait for it."""
        hands = HandSignalTable(self.database, self.vault, self.notifier)
        return SignalsByHand(rows=self.runs, hands=hands, journeys=journeys.journey_for)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """What was put aside, in groups."""
        rows = DeadLetterTable(self.database, self.notifier)
        return DeadLetters(rows=rows, versions=_versions)

    @cached_property
    def replays(self) -> Replays:
        """The acts on many runs."""
        rows = ReplayTable(self.database)
        return Replays(rows=rows, letters=self.dead_letters, operations=self.operations)

    @cached_property
    def tasks(self) -> HumanTasks:
        """The decisions of people."""
        return HumanTasks(rows=HumanTaskRows(self.database), runs=self.runs)
