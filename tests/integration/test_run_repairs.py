"""Repairs end to end: a worker's executor, a system that counts its own effects, and people."""

from types import SimpleNamespace

import pytest

from orchestrator.engine.journey import PIVOT, Call, Choose, Done, Journey, Local
from orchestrator.engine.retry import Line, RetryPolicy
from orchestrator.runtime.executor import Executor
from orchestrator.runtime.steps import StepRunner
from orchestrator.services.ports.running import Basis, ServiceRef
from orchestrator.services.run_operations import Keys
from parvis.metrics import Meter
from schemas.errors import PartnerRejectedError, PartnerUnavailableError, RunStateError
from schemas.receipts import Receipt
from tests.integration.kept_database import database_url, kept  # noqa: F401 - fixtures
from tests.integration.test_run_operations import ACTOR, Desk

pytestmark = pytest.mark.postgres

SORGUES = ServiceRef(
    id="sorgues", kind="library", name="Sorgues", profile="s", connector="c", settings={}
)
POLICY = RetryPolicy(lines=(Line(seconds=0, count=1),), end="stuck")


class System:
    """Does what it is asked once per key, unless it was told to fail."""

    def __init__(self):
        self.effects, self.calls, self.faults = {}, [], {}

    def call(self, _service, command, _log):
        self.calls.append((command.operation, command.key, command.may_repeat))
        fault = self.faults.get(command.operation)
        if fault:
            raise fault
        self.effects[command.key] = command.operation
        return Receipt(external_ref="r1")

    def can(self, _service, _operation):
        return True


class Town(Desk):
    def __init__(self, database, vault, hub_keys):
        journey = Journey(
            name="j",
            version=1,
            starts_on=(),
            key=lambda a, b: a + b,
            steps=(
                Choose("library", lambda _context: Done(output={"service_id": "sorgues"})),
                Call("library", "preregister", purpose="p", undo="cancel"),
                Call("library", "lend", purpose="p", undo="give_back"),
                Call("library", "print_card", purpose="p", undo=PIVOT),
                Local("last", lambda _context: Done()),
            ),
        )
        super().__init__(database, vault, journey)
        self.system = System()
        runner = StepRunner(
            gateway=self.system,
            gate=SimpleNamespace(basis=lambda *_asked, **_known: Basis(kind="test")),
            services=SimpleNamespace(service=lambda _id: SORGUES),
            keys=hub_keys,
            public_url="http://127.0.0.1",
        )
        self.executor = Executor(
            runs=self.runs,
            steps=runner,
            world=None,
            journeys=lambda name, version: journey,
            policy=_Patient,
            worker="test",
            meter=Meter(),
        )

    def go(self, run_id):
        self.executor.execute(run_id, redelivered=False)
        row = self.row(run_id)
        return row["status"], row["error_code"]

    def operations(self):
        return [operation for operation, _, _ in self.system.calls]


class _Patient:
    def for_system(self, _profile, _operation):
        return POLICY


@pytest.fixture
def town(database, vault, hub_keys):
    return Town(database, vault, hub_keys)


def refused(operation="lend"):
    return {operation: PartnerRejectedError("s", operation)}


def test_a_run_put_aside_is_mended_retried_and_ends(town):
    town.system.faults = refused()
    run_id = town.arrive()
    assert town.go(run_id) == ("stuck", "rejected")
    town.system.faults = {}
    town.acts.retry(run_id, actor=ACTOR)
    assert town.go(run_id) == ("done", None)
    assert len(town.system.effects) == 3


def test_a_retried_step_has_all_its_tries_again(town):
    town.system.faults = {"lend": PartnerUnavailableError("s", "lend")}
    run_id = town.arrive()
    assert town.go(run_id) == ("stuck", "retries_exhausted")
    town.acts.retry(run_id, actor=ACTOR)
    assert town.go(run_id) == ("stuck", "retries_exhausted")
    assert town.operations().count("lend") == 4


def test_a_retried_step_of_unknown_outcome_is_looked_for_first(town):
    town.system.faults = {"lend": PartnerUnavailableError("s", "lend", outcome_unknown=True)}
    run_id = town.arrive()
    town.go(run_id)
    town.system.faults = {}
    town.acts.retry(run_id, actor=ACTOR)
    town.go(run_id)
    assert [may for operation, _, may in town.system.calls if operation == "lend"][-1]


def test_a_run_that_killed_its_workers_is_looked_for_first_when_it_is_retried(town):
    run_id = town.arrive()
    town.database.run("UPDATE run SET status = 'stuck', error_code = 'recoveries', recoveries = 6")
    town.acts.retry(run_id, actor=ACTOR)
    assert town.row(run_id)["recoveries"] == 1


def test_a_step_skipped_by_hand_is_never_called_nor_taken_back(town):
    town.system.faults = refused() | refused("print_card")
    run_id = town.arrive()
    town.go(run_id)
    town.acts.skip(run_id, actor=ACTOR, reason="fait au guichet")
    assert town.go(run_id) == ("stuck", "rejected")
    town.acts.discard(run_id, actor=ACTOR, reason="doublon")
    assert town.go(run_id) == ("compensated", "rejected")
    assert town.operations() == ["preregister", "lend", "print_card", "cancel"]


def test_a_discarded_run_takes_back_what_it_did_under_the_keys_of_its_undos(town):
    town.system.faults = refused("print_card")
    run_id = town.arrive()
    town.go(run_id)
    town.acts.discard(run_id, actor=ACTOR, reason="doublon")
    assert town.go(run_id) == ("compensated", "rejected")
    assert [key for _, key, _ in town.system.calls[-2:]] == [
        f"{run_id}:lend:undo",
        f"{run_id}:preregister:undo",
    ]


def test_an_undo_done_by_hand_is_skipped_and_the_others_follow(town):
    town.system.faults = refused("print_card") | refused("give_back")
    run_id = town.arrive()
    town.go(run_id)
    town.acts.discard(run_id, actor=ACTOR, reason="doublon")
    assert town.go(run_id) == ("stuck", "undo_failed")
    assert town.database.one("SELECT count(*) AS n FROM human_task WHERE closed_at IS NULL")["n"]
    town.acts.skip(run_id, actor=ACTOR, reason="rendu au guichet")
    assert town.go(run_id)[0] == "compensated"
    assert town.operations()[-1] == "cancel"
    assert not town.database.one("SELECT count(*) AS n FROM human_task WHERE closed_at IS NULL")[
        "n"
    ]


def test_a_failed_undo_is_tried_again_once_its_system_is_mended(town):
    town.system.faults = refused("print_card") | refused("give_back")
    run_id = town.arrive()
    town.go(run_id)
    town.acts.discard(run_id, actor=ACTOR, reason="doublon")
    town.go(run_id)
    town.system.faults = {}
    assert town.acts.retry(run_id, actor=ACTOR).status == "compensating"
    assert town.go(run_id)[0] == "compensated"
    assert town.operations()[-2:] == ["give_back", "cancel"]


def test_a_cancel_of_a_run_put_aside_takes_back_what_it_did(town):
    town.system.faults = refused()
    run_id = town.arrive()
    town.go(run_id)
    assert town.acts.cancel(run_id, actor=ACTOR, reason="à sa demande").status == "compensating"
    assert town.go(run_id)[0] == "cancelled"
    assert town.operations() == ["preregister", "lend", "cancel"]


def test_a_run_past_its_pivot_is_not_cancelled(town):
    run_id = town.arrive()
    town.go(run_id)
    second = town.acts.fork(run_id, start="last", actor=ACTOR).new_run_id
    with pytest.raises(RunStateError, match="jusqu'au bout"):
        town.acts.cancel(second, actor=ACTOR)
    assert town.go(second) == ("done", None)


def test_a_fork_of_the_same_effect_does_nothing_twice(town):
    run_id = town.arrive()
    town.go(run_id)
    effects = dict(town.system.effects)
    fork = town.acts.fork(run_id, start="lend", actor=ACTOR, keys=Keys.SAME).new_run_id
    assert town.go(fork) == ("done", None)
    assert town.system.effects == effects
    assert [may for _, _, may in town.system.calls[3:]] == [True, True]


def test_a_fork_with_new_keys_does_it_again_from_there(town):
    run_id = town.arrive()
    town.go(run_id)
    fork = town.acts.fork(run_id, start="lend", actor=ACTOR).new_run_id
    assert town.go(fork) == ("done", None)
    assert set(town.system.effects) - {f"{run_id}:{name}" for name in town.system.effects} >= {
        f"{fork}:lend",
        f"{fork}:print_card",
    }
    assert f"{fork}:preregister" not in town.system.effects


def test_a_run_that_was_taken_back_begins_again_and_does_everything_anew(town):
    town.system.faults = refused()
    run_id = town.arrive()
    town.go(run_id)
    town.acts.discard(run_id, actor=ACTOR, reason="doublon")
    town.go(run_id)
    town.system.faults = {}
    again = town.acts.restart(run_id, actor=ACTOR).new_run_id
    assert town.go(again) == ("done", None)
    assert f"{again}:preregister" in town.system.effects
