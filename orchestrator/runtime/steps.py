"""One try of one step: what each kind of step does, and nothing about what follows a failure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orchestrator.engine.effects import (
    AccessCodeIssued,
    ExchangeMade,
    NotificationSent,
    SignalConsumed,
)
from orchestrator.engine.journey import (
    Call,
    Choose,
    Done,
    End,
    IssueCode,
    Local,
    Notify,
    Require,
    Skipped,
    Step,
    StepContext,
    Wait,
)
from orchestrator.engine.runs import Run
from orchestrator.services.access_codes import code_of, digest_of
from orchestrator.services.notifications import language_of, recipient_of, text_of
from orchestrator.services.ports.running import (
    Basis,
    ConsentGate,
    PartnerGateway,
    ServiceRef,
    Services,
)
from schemas import ids
from schemas.commands import Command
from schemas.errors import PartnerAlreadyDoneError
from schemas.keys import HubKeys
from schemas.receipts import Exchange, Receipt

OWN_SOURCE: Final = "/hub/citizen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The step waits for a signal."""

    signal: str
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try: the run as read, its context, and whether an earlier try may have got through."""

    run: Run
    context: StepContext
    may_repeat: bool


Result = Done | End | Skipped | Waiting


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
    ) -> None:
        self._gateway = gateway
        self._gate = gate
        self._services = services
        self._keys = keys
        self._public_url = public_url

    def run(self, step: Step, attempt: Try, log: list[Exchange]) -> Result:
        """Do what the step says; raises only what ``engine.verdict`` can read."""
        match step:
            case Local() | Choose():
                return step.function(attempt.context)
            case IssueCode():
                return self._issue_code(step, attempt.context)
            case Notify():
                return self._notify(step, attempt, log)
            case Call():
                return self._call(step, attempt, log)
            case Wait():
                return self._wait(step, attempt.run)
            case Require():
                return self._require(step, attempt)

    def _issue_code(self, step: IssueCode, context: StepContext) -> Done:
        announced = context.outputs["announce"]
        code_id, valid_until = ids.uuid7(), context.now + step.valid_for
        issued = AccessCodeIssued(
            id=code_id,
            preregistration_id=UUID(announced["preregistration_id"]),
            digest=digest_of(self._keys, code_of(self._keys, code_id)),
            expires_at=valid_until,
        )
        output = {"access_code_id": str(code_id), "valid_until": valid_until.strftime("%d/%m/%Y")}
        return Done(output=output, effects=(issued,))

    def _notify(self, step: Notify, attempt: Try, log: list[Exchange]) -> Result:
        context = attempt.context
        recipient = recipient_of(context)
        if recipient is None:
            return Skipped(reason="no_contact")
        basis = self._basis(step.purpose, context, recipient.channel)
        if basis is None:
            return Skipped(reason="no_basis")
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
                "reference": _reference(context, step.name),
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
        service_id = context.outputs[step.service].get("service_id")
        service = self._services.service(service_id) if service_id else None
        if service is None:
            return Skipped(reason="no_service")
        if not self._gateway.can(service, step.operation):
            return Skipped(reason="not_offered")
        if self._basis(step.purpose, context, None) is None:
            return Skipped(reason="no_basis")
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
            pseudonym=str(context.outputs[step.service].get("pseudonym") or ""),
        )
        receipt = self._asked(service, command, log)
        output = {"external_ref": receipt.external_ref, **receipt.data}
        return Done(output=output, effects=step.then(context, receipt))

    def _wait(self, step: Wait, run: Run) -> Result:
        for signal in run.pending:
            if signal.name == step.signal:
                return Done(effects=(SignalConsumed(id=signal.id),))
        if run.waiting_for == step.signal:
            return step.otherwise
        return Waiting(signal=step.signal, timeout_seconds=step.timeout.total_seconds())

    def _require(self, step: Require, attempt: Try) -> Result:
        if self._basis(step.purpose, attempt.context, None) is not None:
            return Done()
        if attempt.run.waiting_for == "consent.given" and not attempt.run.pending:
            return step.otherwise
        return Waiting(signal="consent.given", timeout_seconds=step.timeout.total_seconds())

    def _basis(self, purpose: str, context: StepContext, channel: str | None) -> Basis | None:
        """Find the basis now; the person's own request on our page is one for its own code."""
        if context.start.source == OWN_SOURCE and purpose == "access_code.delivery":
            return Basis(kind="request")
        return self._gate.basis(context.citizen_id, purpose, channel)

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
            key=f"{attempt.run.id}:{step_name}",
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


def _reference(context: StepContext, step_name: str) -> str:
    """Return a short text that names this sending at the gateway, the same for every try."""
    digest = hashlib.sha256(f"{context.run_id}:{step_name}".encode()).digest()
    return ids.crockford(int.from_bytes(digest, "big"), 16)


def made(step_name: str, log: list[Exchange]) -> tuple[ExchangeMade, ...]:
    """Return the exchanges of a try as effects of its transition."""
    return tuple(ExchangeMade(step=step_name, exchange=exchange) for exchange in log)
