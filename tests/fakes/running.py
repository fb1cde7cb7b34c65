"""Runs moved by hand on a real database: one worker's parts, a partner that counts effects itself.

Nothing runs beside the test: it says when wakes are served and when a timer is due, so that a kill,
a cancel or a signal falls exactly where the test wants it.
"""

from collections import Counter, defaultdict
from datetime import timedelta

from orchestrator.engine.faults import no_faults
from orchestrator.engine.journey import PIVOT, Call, Choose, Done, Journey
from orchestrator.engine.retry import RetryPolicy
from orchestrator.runtime.endings import told_to_nobody
from orchestrator.runtime.executor import Executor
from orchestrator.runtime.steps import StepRunner, at_any_hour
from orchestrator.services.ports.intake import Arrival, RunStart
from orchestrator.services.ports.running import Basis, ServiceRef
from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.notifier import Notifier
from orchestrator.store.runs import RunStore
from parvis.metrics import Meter
from schemas.messages import Message
from schemas.receipts import Exchange, Receipt

PURPOSE = "library.preregistration"
SERVICE = ServiceRef(
    id="lib", kind="library", name="L", profile="ils", connector="x", settings={}, binding={}
)


class Killed(BaseException):
    """The process is gone: nothing after this point happened."""


class Partner:
    """A system behind the gateway; counts effects before it answers, once per key."""

    def __init__(self):
        self.calls, self.effects, self.done = [], Counter(), set()
        self.before, self.after = defaultdict(list), defaultdict(list)

    def can(self, service, operation):
        return operation != "unknown"

    def call(self, service, command, log_to):
        self.calls.append(command)
        self._happen(self.before, command)
        if command.key not in self.done:
            self.done.add(command.key)
            self.effects[command.operation] += 1
        log_to.append(_exchange(command))
        self._happen(self.after, command)
        return Receipt(external_ref=f"ref-{command.operation}")

    def keys(self, operation):
        return [command.key for command in self.calls if command.operation == operation]

    @staticmethod
    def _happen(planned, command):
        if planned[command.operation]:
            planned[command.operation].pop(0)(command)


class Gate:
    """Says yes until the test closes it."""

    def __init__(self):
        self.is_open = True

    def basis(self, citizen_id, purpose, channel, *, known=None):
        return Basis(kind="consent") if self.is_open else None

    def ever(self, citizen_id, purpose):
        return True


class Services:
    def service(self, service_id):
        return SERVICE if service_id == "lib" else None

    def gateway_for(self, channel):
        return None


class Ground:
    """A store, a partner and journeys of the test's own."""

    def __init__(self, database, vault, hub_keys):
        self.database, self.partner, self.gate = database, Partner(), Gate()
        self.vault, self.keys, self.journeys = vault, hub_keys, {}
        self.notifier, committer = Notifier(database), Committer(database)
        self.runs = RunStore(database, committer, vault, self.notifier)
        self.inbox = PostgresInbox(database, committer, vault, self.notifier)
        self.policy, self.fault, self.count = "1s x1; then dead-letter", no_faults, 0
        self.world, self.may_send_at = None, at_any_hour
        self.ends_told, self.services = told_to_nobody, Services()

    def knows(self, *journeys):
        self.journeys |= {(one.name, one.version): one for one in journeys}
        return journeys[0]

    def executor(self):
        steps = StepRunner(
            gateway=self.partner,
            gate=self.gate,
            services=self.services,
            keys=self.keys,
            public_url="https://parvis.example.org",
            may_send_at=self.may_send_at,
        )
        return Executor(
            runs=self.runs,
            steps=steps,
            world=self.world,
            journeys=lambda name, version: self.journeys.get((name, version)),
            newest=lambda name: self.journeys.get((name, 1)),
            policy=lambda: RetryPolicy.read(self.policy),
            worker="test",
            meter=Meter(),
            fault=self.fault,
            ends_told=self.ends_told,
        )

    def arrive(self, journey, **data):
        self.count += 1
        event = f"e{self.count}"
        message = Message(type="t.v1", source="/partners/p", id=event, subject=event, data={})
        starts = RunStart(journey=journey.name, version=1, key=f"/partners/p {event}", data=data)
        self.inbox.accept(
            Arrival(message=message, body=b"x", body_digest=b"x", headers={}, starts=starts)
        )
        return self.one("SELECT run_id FROM inbox WHERE event_id = %s", event)["run_id"]

    def go(self, *, redelivered=False):
        """Serve every wake, those that come of it too."""
        executor = self.executor()
        while row := self.one(
            "DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox) RETURNING key"
        ):
            executor.execute(row["key"], redelivered=redelivered)

    def start(self, journey, **data):
        run_id = self.arrive(journey, **data)
        self.go()
        return run_id

    def wake(self, run_id):
        self.database.run("INSERT INTO outbox(topic, key) VALUES ('wake', %s)", (run_id,))

    def pass_time(self, run_id):
        """Make a parked run due and serve it."""
        self.database.run(
            "UPDATE run SET wake_at = parvis_now() - interval '1 s' WHERE id = %s", (run_id,)
        )
        assert self.runs.wake_due()
        self.go()

    def one(self, sql, *values):
        return self.database.one(sql, values)

    def run(self, run_id):
        return self.runs.read(run_id)[0]

    def state(self, run_id):
        run = self.run(run_id)
        return run.status, run.error_code

    def log(self, run_id):
        return [(row.name, row.outcome) for row in self.run(run_id).log]


def choose(name="library"):
    return Choose(name, lambda _context: Done(output={"service_id": "lib", "pseudonym": "P"}))


def call(operation, undo=None, **members):
    return Call("library", operation, PURPOSE, undo or f"cancel_{operation}", **members)


def pivot(operation):
    return call(operation, PIVOT)


def journey(*steps, name="test.journey", **members):
    return Journey(
        name=name,
        version=1,
        starts_on=(),
        key=lambda source, subject: f"{source} {subject}",
        steps=steps,
        **members,
    )


def raising(error):
    def happen(_command):
        raise error

    return happen


LONG = timedelta(days=1)


def _exchange(command):
    from schemas import clock

    return Exchange(
        profile="ils",
        operation=command.operation,
        address="POST ils.example.org/x",
        asked_at=clock.utcnow(),
        ended_at=clock.utcnow(),
        outcome="ok",
        idempotency_key=command.key,
    )
