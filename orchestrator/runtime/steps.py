"""One try of one step: what each kind of step does, and nothing about what follows a failure."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid5

from orchestrator.engine.compensation import Undoable
from orchestrator.engine.effects import (
    AccessCodeIssued,
    AccessCodeRevoked,
    AccessCodesReplaced,
    ExchangeMade,
    NotificationSent,
    SignalConsumed,
    TasksClosed,
)
from orchestrator.engine.journey import (
    CONSENT_GIVEN,
    AskPerson,
    Call,
    Choose,
    Done,
    End,
    IssueCode,
    Local,
    Notify,
    Pause,
    Require,
    Skipped,
    StepContext,
    Wait,
)
from orchestrator.engine.runs import UNDO, Run, Task
from orchestrator.services.access_codes import code_of, digest_of
from orchestrator.services.notifications import language_of, recipient_of, text_of
from orchestrator.services.ports.operations import FORK, RESTART
from orchestrator.services.ports.running import (
    Basis,
    ConsentGate,
    PartnerGateway,
    ServiceRef,
    Services,
    Told,
)
from schemas import ids
from schemas.commands import Command
from schemas.errors import (
    CompensationFailedError,
    PartnerAlreadyDoneError,
    PartnerUnavailableError,
)
from schemas.keys import HubKeys
from schemas.receipts import Exchange, Receipt

OWN_SOURCE: Final = "/hub/citizen"
CODES: Final = UUID("6f0e64a4-4c1b-5d0a-9a53-3d7a2b1f9c10")
"""Namespace of the ids of access codes: one for each idempotency key (RFC 9562, version 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The step waits for a signal, a time or a person; without a timeout nothing but it wakes."""

    signal: str
    timeout_seconds: float | None
    to: Literal["waiting_signal", "waiting_timer", "waiting_human"] = "waiting_signal"
    task: Task | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Signals came that change nothing: they are taken, and the step is looked at again."""

    effects: tuple[SignalConsumed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try: the run as read, its context, and whether an earlier try may have got through.

    ``told`` is what the person told about purposes, as far as it was read and still stands.
    """

    run: Run
    context: StepContext
    may_repeat: bool
    told: dict[str, Told] = field(default_factory=dict)


Result = Done | End | Skipped | Waiting | Heard
Single = Local | Choose | IssueCode | Notify | Call | Wait | Require | AskPerson | Pause


def at_any_hour(_purpose: str, context: StepContext) -> datetime:
    """Let every message leave at once: for a city that says no hours."""
    return context.now


class StepRunner:
    """Runs single steps; ``log`` collects the exchanges of a try, whatever becomes of it."""

    def __init__(
        self,
        *,
        gateway: PartnerGateway,
        gate: ConsentGate,
        services: Services,
        keys: HubKeys,
        public_url: str,
        may_send_at: Callable[[str, StepContext], datetime] = at_any_hour,
    ) -> None:
        self._gateway = gateway
        self._gate = gate
        self._services = services
        self._keys = keys
        self._public_url = public_url
        self._may_send_at = may_send_at

    def run(self, step: Single, attempt: Try, log: list[Exchange]) -> Result:
        """Do what the step says; raises only what ``engine.verdict`` can read."""
        match step:
            case Local() | Choose():
                return step.function(attempt.context)
            case IssueCode():
                return self._issue_code(step, attempt)
            case Notify():
                return self._notify(step, attempt, log)
            case Call():
                return self._call(step, attempt, log)
            case Wait():
                return self._wait(step, attempt.run)
            case Require():
                return self._require(step, attempt)
            case AskPerson():
                return _ask(step, attempt)
            case Pause():
                return _pause(step, attempt.run)

    def undo(
        self, step: Undoable, attempt: Try, log: list[Exchange], *, before: frozenset[str]
    ) -> Done | Skipped:
        """Take a step back, with what it saw and what it left.

        No basis is asked for: taking back tells a system nothing it was not told, and must go on
        after a consent was withdrawn.

        Args:
            step: The step to take back.
            attempt: The run, and whether an earlier undo may have got through.
            log: Collects the exchanges.
            before: The names of the steps whose outputs it sees.

        Raises:
            CompensationFailedError: nothing here can take it back any more.
        """
        seen = {name: out for name, out in attempt.context.outputs.items() if name in before}
        left = seen.get(step.name, {})
        if isinstance(step, IssueCode):
            code_id = left.get("access_code_id")
            revoked = (AccessCodeRevoked(id=UUID(code_id)),) if code_id else ()
            return Done(effects=revoked)
        earlier = {name: out for name, out in seen.items() if name != step.name}
        context = replace(attempt.context, outputs=earlier)
        data = step.data(context)
        if data is None:
            return Skipped(reason="no_person")
        command = self._undoing(step, attempt, context.chosen(step.service), {**data, **_ref(left)})
        self._asked(command[0], command[1], log)
        return Done()

    def _undoing(
        self,
        step: Call,
        attempt: Try,
        chosen: Mapping[str, object],
        data: Mapping[str, object],
    ) -> tuple[ServiceRef, Command]:
        service = self._services.service(str(chosen.get("service_id")))
        if service is None or not self._gateway.can(service, step.undo):
            raise CompensationFailedError("The system that did it cannot be asked to undo it.")
        command = self._command(
            step.name + UNDO,
            attempt,
            operation=step.undo,
            purpose=step.purpose,
            data=data,
            service=service,
            pseudonym=str(chosen.get("pseudonym") or ""),
        )
        return service, command

    def _issue_code(self, step: IssueCode, attempt: Try) -> Done:
        """Issue the code of this run's idempotency key: begun again under it, the person's is the same.

        A gateway that knows the key sends no second message, so what the first one said stays true.
        """
        context = attempt.context
        announced = context.outputs["announce"]
        code_id = uuid5(CODES, attempt.run.key(step.name))
        valid_until = context.now + step.valid_for
        issued = AccessCodeIssued(
            id=code_id,
            preregistration_id=UUID(announced["preregistration_id"]),
            digest=digest_of(self._keys, code_of(self._keys, code_id)),
            expires_at=valid_until,
        )
        output = {"access_code_id": str(code_id), "valid_until": valid_until.strftime("%d/%m/%Y")}
        if any(row.cause in (RESTART, FORK) for row in attempt.run.log):
            return Done(output=output, effects=(issued, AccessCodesReplaced(id=code_id)))
        return Done(output=output, effects=(issued,))

    def _notify(self, step: Notify, attempt: Try, log: list[Exchange]) -> Result:
        context = attempt.context
        recipient = recipient_of(context)
        if recipient is None:
            return Skipped(reason="no_contact")
        basis = self._basis(step.purpose, attempt, recipient.channel)
        if basis is None:
            return Skipped(reason="no_basis")
        later = self._may_send_at(step.purpose, context)
        if later > context.now:
            seconds = (later - context.now).total_seconds()
            name = f"hours:{step.name}"
            return Waiting(signal=name, timeout_seconds=seconds, to="waiting_timer")
        text = text_of(step.template, context, keys=self._keys, public_url=self._public_url)
        service = self._services.gateway_for(recipient.channel)
        if text is None or service is None:
            return Skipped(reason="no_gateway" if text else "nothing_to_say")
        command = self._command(
            step.name,
            attempt,
            operation="send",
            purpose=step.purpose,
            data={
                "to": recipient.address,
                "text": text.body,
                "subject": text.subject,
                "sender": None,
                "reference": _reference(attempt.run.key(step.name)),
            },
            service=service,
        )
        receipt = self._asked(service, command, log)
        sent = NotificationSent(
            id=ids.uuid7(),
            citizen_id=context.citizen_id,
            template=step.template,
            language=language_of(context),
            channel=recipient.channel,
            purpose=step.purpose,
            basis_record=basis.record_id,
            profile=service.profile,
            provider_ref=receipt.external_ref,
            segments=receipt.data.get("segments"),
        )
        return Done(output={"channel": recipient.channel}, effects=(sent,))

    def _call(self, step: Call, attempt: Try, log: list[Exchange]) -> Result:
        context = attempt.context
        chosen = context.chosen(step.service)
        service_id = chosen.get("service_id")
        service = self._services.service(service_id) if service_id else None
        if service is None:
            return Skipped(reason="no_service")
        if not self._gateway.can(service, step.operation):
            return Skipped(reason="not_offered")
        if self._basis(step.purpose, attempt, None) is None:
            return self._unasked(step, attempt, service)
        data = step.data(context)
        if data is None:
            return Skipped(reason="no_person")
        command = self._command(
            step.name,
            attempt,
            operation=step.operation,
            purpose=step.purpose,
            data=data,
            service=service,
            pseudonym=str(chosen.get("pseudonym") or ""),
        )
        receipt = self._asked(service, command, log)
        output = {"external_ref": receipt.external_ref, **receipt.data}
        return Done(output=output, effects=step.then(context, receipt))

    def _unasked(self, step: Call, attempt: Try, service: ServiceRef) -> Skipped:
        """Leave out a call that has no basis; one that may have been made while it had is no such.

        Raises:
            PartnerUnavailableError: nobody knows whether it was made, and without a basis the system
                cannot be asked; later tries find a new basis, or a person decides.
        """
        if attempt.may_repeat and self._gate.ever(attempt.context.citizen_id, step.purpose):
            detail = "The call may have been made; without a basis the system cannot be asked."
            raise PartnerUnavailableError(
                service.profile, step.operation, detail, outcome_unknown=True
            )
        return Skipped(reason="no_basis")

    def _wait(self, step: Wait, run: Run) -> Result:
        signal = run.signal(step.signal)
        if signal is not None:
            output = signal.payload or {}
            return Done(output=output, effects=(SignalConsumed(id=signal.id),))
        if run.waiting_for == step.signal:
            return step.otherwise
        return Waiting(signal=step.signal, timeout_seconds=step.timeout.total_seconds())

    def _require(self, step: Require, attempt: Try) -> Result:
        told = tuple(
            SignalConsumed(id=signal.id)
            for signal in attempt.run.pending
            if signal.name == CONSENT_GIVEN
        )
        if self._basis(step.purpose, attempt, None) is not None:
            return Done(effects=told)
        if told:
            return Heard(effects=told)
        if attempt.run.waiting_for == CONSENT_GIVEN:
            return step.otherwise
        return Waiting(signal=CONSENT_GIVEN, timeout_seconds=step.timeout.total_seconds())

    def _basis(self, purpose: str, attempt: Try, channel: str | None) -> Basis | None:
        """Find the basis now; the person's own request on our page is one for its own code."""
        context = attempt.context
        if context.start.source == OWN_SOURCE and purpose == "access_code.delivery":
            return Basis(kind="request")
        return self._gate.basis(context.citizen_id, purpose, channel, known=attempt.told)

    def _command(
        self,
        step_name: str,
        attempt: Try,
        *,
        operation: str,
        purpose: str,
        data: Mapping[str, object],
        service: ServiceRef,
        pseudonym: str = "",
    ) -> Command:
        return Command(
            key=attempt.run.key(step_name),
            operation=operation,
            data=data,
            pseudonym=pseudonym,
            purpose=purpose,
            binding={**service.binding, "service_id": service.id},
            may_repeat=attempt.may_repeat,
        )

    def _asked(self, service: ServiceRef, command: Command, log: list[Exchange]) -> Receipt:
        try:
            return self._gateway.call(service, command, log)
        except PartnerAlreadyDoneError as already:
            return Receipt(external_ref=already.external_ref)


def _ask(step: AskPerson, attempt: Try) -> Result:
    """Return what a person decided, or open the task; nobody in time ends or marks it overdue."""
    run, name = attempt.run, decision_signal(step.name)
    signal = run.signal(name)
    if signal is not None:
        taken = SignalConsumed(id=signal.id)
        chosen = next(known for known in step.decisions if known.name == signal.decision)
        if chosen.end is not None:
            return replace(chosen.end, effects=(*chosen.end.effects, taken))
        return Done(output={"decision": chosen.name}, effects=(taken,))
    is_late = run.waiting_for == name
    if is_late and step.otherwise is not None:
        closed = TasksClosed(reason="timeout")
        return replace(step.otherwise, effects=(*step.otherwise.effects, closed))
    task = Task(
        id=ids.uuid7(),
        step=step.name,
        kind="decision",
        question=step.question,
        decisions=tuple(known.name for known in step.decisions),
        due_at=attempt.context.now + step.timeout,
    )
    seconds = None if is_late else step.timeout.total_seconds()
    return Waiting(signal=name, timeout_seconds=seconds, to="waiting_human", task=task)


def _pause(step: Pause, run: Run) -> Result:
    name = f"timer:{step.name}"
    if run.waiting_for == name:
        return Done()
    seconds = step.duration / timedelta(seconds=1)
    return Waiting(signal=name, timeout_seconds=seconds, to="waiting_timer")


def decision_signal(step_name: str) -> str:
    """Return the name of the signal that brings a person's decision about a step."""
    return f"decision:{step_name}"


def _ref(left: Mapping[str, object]) -> dict[str, object]:
    """Return the system's own reference of what it did, when the step left one."""
    return {"external_ref": left["external_ref"]} if left.get("external_ref") else {}


def _reference(key: str) -> str:
    """Return a short text that names this sending at the gateway, the same for every try."""
    return ids.crockford(int.from_bytes(hashlib.sha256(key.encode()).digest(), "big"), 16)


def made(step_name: str, log: list[Exchange]) -> tuple[ExchangeMade, ...]:
    """Return the exchanges of a try as effects of its transition."""
    return tuple(ExchangeMade(step=step_name, exchange=exchange) for exchange in log)
