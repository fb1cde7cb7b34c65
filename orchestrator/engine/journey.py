"""What a journey is: a frozen, versioned list of steps, typed, drawn, and resumed at any step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestrator.engine.effects import Effect
from orchestrator.engine.world import World
from schemas.errors import ConfigurationError
from schemas.receipts import Receipt

PIVOT = "pivot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The message a run started with, as the steps see it; read-only."""

    type: str
    source: str
    subject: str
    event_id: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What a step may read: the run, its start, the outputs of earlier steps, the city."""

    run_id: UUID
    data_key_id: UUID | None
    citizen_id: UUID | None
    start: Start
    outputs: Mapping[str, Mapping[str, Any]]
    now: datetime
    world: World


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A step's result: its output (JSON, personal by default) and what it changes."""

    output: Mapping[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    citizen_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The run ends here; ``outcome`` says how (``expired``, ``out_of_territory`` ...)."""

    outcome: str
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The step had nothing to do, and why (``no_basis``, ``no_contact`` ...)."""

    reason: str


LocalFunction = Callable[[StepContext], Done | End]


@dataclass(frozen=True, slots=True)
class Local:
    """A decision of the hub's own."""

    name: str
    function: LocalFunction


@dataclass(frozen=True, slots=True)
class Choose:
    """Picks a value that later steps name."""

    name: str
    function: LocalFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCode:
    """Issues an access code for the run's pre-registration; nothing leaves the hub."""

    valid_for: timedelta
    name: str = "issue_code"


@dataclass(frozen=True, slots=True)
class Notify:
    """Sends one message to the person, if there is a contact and a basis for the purpose."""

    template: str
    purpose: str

    @property
    def name(self) -> str:
        """The step's name: the template's."""
        return f"notify_{self.template.replace('.', '_')}"


@dataclass(frozen=True, slots=True)
class Call:
    """Asks an operation of the system behind a chosen service; ``undo`` is its inverse or PIVOT.

    ``service`` names the step whose output holds the ``service_id``. ``data`` builds what is sent,
    or None when there is nobody to send; ``then`` says what the answer changes in the hub.
    """

    service: str
    operation: str
    purpose: str
    undo: str
    data: Callable[[StepContext], Mapping[str, Any] | None]
    then: Callable[[StepContext, Receipt], tuple[Effect, ...]]

    @property
    def name(self) -> str:
        """The step's name: the operation's."""
        return self.operation


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits for a signal; when it does not come in time the run ends ``otherwise``."""

    signal: str
    timeout: timedelta
    otherwise: End

    @property
    def name(self) -> str:
        """The step's name: what it waits for."""
        return f"wait_{self.signal.replace('.', '_')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Require:
    """Passes when the purpose has a basis, otherwise waits for the consent that gives it."""

    purpose: str
    timeout: timedelta
    otherwise: End

    @property
    def name(self) -> str:
        """The step's name: the purpose's."""
        return f"require_{self.purpose.replace('.', '_')}"


Step = Local | Choose | IssueCode | Notify | Call | Wait | Require


def _nothing(_context: StepContext, _outcome: str) -> tuple[Effect, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A definition: runs keep the version they started with.

    ``key`` gives, for a source and a subject, the text of which one run at a time may bear the
    same; ``on_end`` says what an end other than the last step changes in the hub.
    """

    name: str
    version: int
    starts_on: tuple[str, ...]
    key: Callable[[str, str], str]
    steps: tuple[Step, ...]
    on_end: Callable[[StepContext, str], tuple[Effect, ...]] = _nothing

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            fault = f"{self.name} v{self.version}: steps named twice: {twice}"
            raise ConfigurationError(fault)
