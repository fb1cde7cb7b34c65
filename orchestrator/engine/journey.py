"""What a journey is: a frozen, versioned list of steps, typed, drawn, and resumed at any step.

A step that acts outside the hub says how it is undone or that it cannot be (``PIVOT``): after a
pivot a run only goes forward.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from orchestrator.engine.effects import Effect
from orchestrator.engine.world import World
from schemas.errors import ConfigurationError
from schemas.receipts import Receipt

PIVOT = "pivot"
START: Final = "start"
"""Named where a step would be: what the run started with (a child's data, a citizen's request)."""
CONSENT_GIVEN: Final = "consent.given"
"""The signal that a consent may have come, which ``Require`` waits for."""
QUIET: Final = {"fingerprint": "when set"}
"""Marks a member added after the first journeys were published: told only when it is set."""


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

    def chosen(self, step_name: str) -> Mapping[str, Any]:
        """Return what a step chose, or what came with the start when that is what is named."""
        return self.start.data if step_name == START else self.outputs[step_name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A step's result: its output (JSON, personal by default) and what it changes.

    ``pivot`` says that it cannot be taken back: from here on the run only goes forward.
    """

    output: Mapping[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    citizen_id: UUID | None = None
    pivot: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The run ends here; ``outcome`` says how (``expired``, ``out_of_territory`` ...).

    ``undo`` says whether what the run did outside is taken back first. When it is not said, the end
    of a wait (nobody answered, a person refused) takes it back and a function's own end does not.
    """

    outcome: str
    effects: tuple[Effect, ...] = ()
    undo: bool | None = field(default=None, metadata=QUIET)


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


def no_data(_context: StepContext) -> Mapping[str, Any]:
    """Send nothing but the key and the pseudonym."""
    return {}


def no_change(_context: StepContext, _receipt: Receipt) -> tuple[Effect, ...]:
    """Keep the answer in the log and change nothing else in the hub."""
    return ()


@dataclass(frozen=True, slots=True)
class Call:
    """Asks an operation of the system behind a chosen service; ``undo`` is its inverse or PIVOT.

    ``service`` names the step whose output holds the ``service_id``, or ``START``. ``data`` builds what is sent,
    or None when there is nobody to send; ``then`` says what the answer changes in the hub.
    """

    service: str
    operation: str
    purpose: str
    undo: str = ""
    data: Callable[[StepContext], Mapping[str, Any] | None] = no_data
    then: Callable[[StepContext, Receipt], tuple[Effect, ...]] = no_change

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


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer a person may give; ``end`` says that the run then ends, otherwise it goes on."""

    name: str
    end: End | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPerson:
    """Opens a task and waits for a person's decision, which is the step's output.

    ``question`` is the key of the sentence people read. When nobody decides in time the run ends
    ``otherwise``; without one the task is marked as overdue and the run waits on.
    """

    name: str
    question: str
    decisions: tuple[Decision, ...]
    timeout: timedelta
    otherwise: End | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Waits for some time to pass."""

    name: str
    duration: timedelta


ItemsFunction = Callable[[StepContext], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class ForEach:
    """Starts a run of another journey per item, and waits until all of them have ended.

    ``items`` maps an item's name to the data its run starts with. What became of each is the step's
    output; a failure is a result and undoes nothing of the others, unless ``all_or_nothing``: then
    the first one cancels those still under way and the step fails.
    """

    name: str
    items: ItemsFunction
    journey: str
    all_or_nothing: bool = False


@dataclass(frozen=True, slots=True)
class StartJourney:
    """Starts one run of another journey and waits for its end; fails when it does not end well."""

    name: str
    journey: str
    data: Callable[[StepContext], Mapping[str, Any]] = no_data


Step = (
    Local
    | Choose
    | IssueCode
    | Notify
    | Call
    | Wait
    | Require
    | AskPerson
    | Pause
    | ForEach
    | StartJourney
)


def _nothing(_context: StepContext, _outcome: str) -> tuple[Effect, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A definition: runs keep the version they started with.

    ``key`` gives, for a source and a subject, the text of which one run at a time may bear the
    same; ``on_end`` says what an end other than the last step changes in the hub. ``on_failure``
    says who deals with a step that failed for good: a person (the run is put aside, ``stuck``), or
    the engine, which takes back at once what was done (``undo``).
    """

    name: str
    version: int
    starts_on: tuple[str, ...]
    key: Callable[[str, str], str]
    steps: tuple[Step, ...]
    on_end: Callable[[StepContext, str], tuple[Effect, ...]] = _nothing
    on_failure: Literal["person", "undo"] = "person"

    def __post_init__(self) -> None:
        faults = step_faults(self.steps)
        if self.on_failure not in {"person", "undo"}:
            faults.append(f"« on_failure » vaut « {self.on_failure} » : « person » ou « undo ».")
        if faults:
            raise ConfigurationError(*(f"{self.name} v{self.version} : {it}" for it in faults))


def step_faults(steps: tuple[Step, ...]) -> list[str]:
    """Return what is wrong with a journey's steps, each as a French sentence."""
    names = [step.name for step in steps]
    faults = [f"l'étape « {name} » existe deux fois." for name in _twice(names)]
    if not steps:
        faults.append("aucune étape.")
    for step in steps:
        faults += [f"étape « {step.name} » : {fault}" for fault in _faults_of(step)]
    return faults


def _faults_of(step: Step) -> list[str]:
    found = []
    if not step.name or ":" in step.name or step.name == START:
        found.append(f"un nom d'étape n'est ni vide ni « {START} », et ne contient pas « : ».")
    if isinstance(step, Call) and not step.undo:
        found.append("dites comment elle s'annule (undo=) ou qu'elle ne s'annule pas (PIVOT).")
    if isinstance(step, AskPerson):
        found += _faults_of_decisions(step)
    for name in ("timeout", "duration", "valid_for"):
        span = getattr(step, name, None)
        if isinstance(span, timedelta) and span <= timedelta():
            found.append(f"le délai « {name} » doit être positif.")
    return found


def _faults_of_decisions(step: AskPerson) -> list[str]:
    names = [decision.name for decision in step.decisions]
    found = [f"la décision « {name} » est proposée deux fois." for name in _twice(names)]
    return found if names else [*found, "aucune décision n'est proposée."]


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
