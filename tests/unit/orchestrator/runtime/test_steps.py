from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.engine import effects as e
from orchestrator.engine.journey import (
    PIVOT,
    Call,
    Done,
    End,
    IssueCode,
    Notify,
    Require,
    Skipped,
    Start,
    StepContext,
    Wait,
)
from orchestrator.engine.runs import Run, StoredSignal
from orchestrator.runtime.steps import OWN_SOURCE, StepRunner, Try, Waiting
from orchestrator.services.access_codes import code_of, digest_of
from orchestrator.services.ports.running import Basis, ServiceRef
from schemas import ids
from schemas.errors import PartnerAlreadyDoneError, PartnerUnavailableError
from schemas.receipts import Receipt

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DELIVERY, PREREGISTRATION = "access_code.delivery", "library.preregistration"
LIBRARY = ServiceRef(
    id="lib", kind="library", name="L", profile="ils", connector="x", settings={}, binding={"a": 1}
)
CALL = Call(
    "library",
    "preregister",
    purpose=PREREGISTRATION,
    undo=PIVOT,
    data=lambda context: context.start.data.get("person"),
    then=lambda _context, receipt: (
        e.PreregistrationMoved(id=ids.uuid7(), state="x", external_ref=receipt.external_ref),
    ),
)


class Gateway:
    """Keeps what left; answers as told."""

    def __init__(self):
        self.left, self.answer, self.operations = [], Receipt(external_ref="7"), {"preregister"}

    def can(self, service, operation):
        return operation in self.operations

    def call(self, service, command, log_to):
        self.left.append((service.profile, command))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Gate:
    """Says yes to the purposes it was given; remembers what it was asked."""

    def __init__(self):
        self.open, self.asked = {DELIVERY, PREREGISTRATION}, []
        self.once = set(self.open)

    def basis(self, citizen_id, purpose, channel, *, known=None):
        self.asked.append((purpose, channel))
        return Basis(kind="consent", record_id=ids.uuid7()) if purpose in self.open else None

    def ever(self, citizen_id, purpose):
        return purpose in self.once


class Services:
    def __init__(self):
        self.known = {"lib": LIBRARY}
        self.gateways = {"sms": replace(LIBRARY, id="sms", kind="sms", profile="texts")}

    def service(self, service_id):
        return self.known.get(service_id)

    def gateway_for(self, channel):
        return self.gateways.get(channel)


class Scene:
    """A runner on doubles of its ports, and a run in the middle of its journey."""

    def __init__(self, keys):
        self.gateway, self.gate, self.services, self.keys = Gateway(), Gate(), Services(), keys
        self.runner = StepRunner(
            gateway=self.gateway,
            gate=self.gate,
            services=self.services,
            keys=keys,
            public_url="https://parvis.example.org",
        )
        self.code_id = ids.uuid7()
        self.outputs = {
            "announce": {"preregistration_id": str(ids.uuid7())},
            "library": {"service_id": "lib", "pseudonym": "PSEUDO"},
            "issue_code": {"access_code_id": str(self.code_id), "valid_until": "22/12/2026"},
        }
        self.data = {
            "person": {"family_name": "Fictive"},
            "contact": {"channel": "sms", "address": "+33639980001"},
        }
        self.source, self.waiting_for, self.pending = "/partners/p", None, ()

    def run(self, step, *, may_repeat=False):
        start = Start(type="t", source=self.source, subject="s", event_id="e", data=self.data)
        run = Run(
            id=ids.uuid7(),
            journey="j",
            version=1,
            status="ready",
            step=0,
            seq=0,
            fence=0,
            signals=0,
            recoveries=0,
            waiting_for=self.waiting_for,
            citizen_id=ids.uuid7(),
            data_key_id=None,
            created_at=NOW,
            start=start,
            log=(),
            pending=self.pending,
        )
        context = StepContext(
            run_id=run.id,
            data_key_id=None,
            citizen_id=run.citizen_id,
            start=start,
            outputs=self.outputs,
            now=NOW,
            world=None,
        )
        return self.runner.run(step, Try(run=run, context=context, may_repeat=may_repeat), [])


@pytest.fixture
def scene(hub_keys):
    return Scene(hub_keys)


def test_a_code_is_issued_by_its_digest_and_never_written(scene):
    done = scene.run(IssueCode(valid_for=timedelta(days=30)))
    (issued,) = done.effects
    code = code_of(scene.keys, issued.id)
    assert issued.digest == digest_of(scene.keys, code)
    assert issued.expires_at == NOW + timedelta(days=30)
    assert code not in repr(done)


def test_the_code_goes_to_the_proven_contact_with_its_basis_on_record(scene):
    done = scene.run(Notify("library.code", purpose=DELIVERY))
    ((profile, command),) = scene.gateway.left
    assert (profile, command.operation, command.purpose) == ("texts", "send", DELIVERY)
    assert command.data["to"] == "+33639980001"
    code = code_of(scene.keys, scene.code_id)
    assert f"{code[:5]}-{code[5:]}" in command.data["text"]
    assert scene.gate.asked == [(DELIVERY, "sms")]
    (sent,) = done.effects
    assert (sent.basis_record is not None, sent.provider_ref) == (True, "7")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda scene: scene.data.pop("contact"), "no_contact"),
        (lambda scene: scene.gate.open.discard(DELIVERY), "no_basis"),
        (lambda scene: scene.services.gateways.clear(), "no_gateway"),
        (lambda scene: scene.outputs.pop("issue_code"), "nothing_to_say"),
    ],
)
def test_a_message_that_may_not_leave_is_skipped_with_its_reason(scene, change, reason):
    change(scene)
    assert scene.run(Notify("library.code", purpose=DELIVERY)) == Skipped(reason=reason)
    assert scene.gateway.left == []


def test_what_one_asks_for_on_our_own_page_is_a_basis_for_its_code_only(scene):
    scene.gate.open.clear()
    scene.source = OWN_SOURCE
    assert isinstance(scene.run(Notify("library.code", purpose=DELIVERY)), Done)
    assert scene.run(CALL) == Skipped(reason="no_basis")


def test_a_call_carries_its_key_its_purpose_and_the_pseudonym_of_that_service(scene):
    done = scene.run(CALL, may_repeat=True)
    ((profile, command),) = scene.gateway.left
    assert profile == "ils"
    assert command.key.endswith(":preregister")
    assert (command.purpose, command.pseudonym) == (PREREGISTRATION, "PSEUDO")
    assert command.binding == {"a": 1, "service_id": "lib"}
    assert command.may_repeat
    assert done.output["external_ref"] == "7"
    assert done.effects[0].external_ref == "7"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda scene: scene.outputs["library"].update(service_id=None), "no_service"),
        pytest.param(lambda scene: scene.services.known.clear(), "no_service", id="retired"),
        (lambda scene: scene.gateway.operations.clear(), "not_offered"),
        (lambda scene: scene.gate.open.discard(PREREGISTRATION), "no_basis"),
        (lambda scene: scene.data.pop("person"), "no_person"),
    ],
)
def test_a_call_that_may_not_leave_is_skipped_with_its_reason(scene, change, reason):
    change(scene)
    assert scene.run(CALL) == Skipped(reason=reason)
    assert scene.gateway.left == []


def test_a_call_that_may_have_been_made_before_its_basis_went_is_not_skipped(scene):
    scene.gate.open.discard(PREREGISTRATION)
    with pytest.raises(PartnerUnavailableError) as unknown:
        scene.run(CALL, may_repeat=True)
    assert unknown.value.outcome_unknown
    scene.gate.once.clear()
    assert scene.run(CALL, may_repeat=True) == Skipped(reason="no_basis")
    assert scene.gateway.left == []


def test_what_a_system_already_did_is_a_success(scene):
    scene.gateway.answer = PartnerAlreadyDoneError("ils", "preregister", "42")
    assert scene.run(CALL).output == {"external_ref": "42"}


def test_the_same_message_bears_the_same_reference_at_every_try(scene):
    step = Notify("library.code", purpose=DELIVERY)
    scene.run(step)
    scene.run(step)
    first, second = (command for _, command in scene.gateway.left)
    assert len(first.data["reference"]) <= 20
    assert first.data["reference"] != second.data["reference"]  # another run, another message


def test_a_wait_takes_its_signal_and_no_other(scene):
    step = Wait("access_code.redeemed", timeout=timedelta(days=90), otherwise=End("expired"))
    scene.pending = (StoredSignal(id=ids.uuid7(), name="lease.signed.v1"),)
    assert scene.run(step) == Waiting(signal="access_code.redeemed", timeout_seconds=90 * 86_400)
    taken = StoredSignal(id=ids.uuid7(), name="access_code.redeemed")
    scene.pending = (*scene.pending, taken)
    assert scene.run(step) == Done(effects=(e.SignalConsumed(id=taken.id),))


def test_a_wait_that_was_woken_without_its_signal_is_over(scene):
    step = Wait("access_code.redeemed", timeout=timedelta(days=90), otherwise=End("expired"))
    scene.waiting_for = "access_code.redeemed"
    assert scene.run(step) == End("expired")


def test_what_requires_a_consent_waits_until_it_is_given(scene):
    step = Require(purpose=PREREGISTRATION, timeout=timedelta(days=90), otherwise=End("expired"))
    assert scene.run(step) == Done()
    scene.gate.open.clear()
    assert scene.run(step) == Waiting(signal="consent.given", timeout_seconds=90 * 86_400)
    scene.waiting_for = "consent.given"
    assert scene.run(step) == End("expired")


def test_a_message_outside_the_hours_waits_for_them_by_a_timer_and_is_not_sent(scene):
    later = NOW + timedelta(hours=9)
    scene.runner._may_send_at = lambda purpose, context: later
    waiting = scene.run(Notify("library.code", purpose=DELIVERY))
    assert (waiting.to, waiting.timeout_seconds) == ("waiting_timer", 9 * 3600)
    assert waiting.signal == "hours:notify_library_code"
    assert scene.gateway.left == []


def test_a_message_without_a_basis_waits_for_no_hours(scene):
    scene.runner._may_send_at = lambda purpose, context: NOW + timedelta(hours=9)
    scene.gate.open.clear()
    result = scene.run(Notify("library.code", purpose=DELIVERY))
    assert result == Skipped(reason="no_basis")
