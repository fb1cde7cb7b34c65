"""Systems that go down and hang, with a worker and the timers of this process on real tables."""

from itertools import count, islice, pairwise

import gevent
import pytest
from gevent.event import Event

from orchestrator.engine.breaker import Pace, State
from orchestrator.engine.journey import Done, Journey, Local
from orchestrator.engine.retry import RetryPolicy
from orchestrator.runtime.bulkhead import Bulkhead
from orchestrator.runtime.executor import Executor
from orchestrator.runtime.gateway import Gateway
from orchestrator.runtime.probes import Probes
from orchestrator.runtime.steps import StepRunner
from orchestrator.runtime.timers import Timers
from orchestrator.runtime.worker import Worker
from orchestrator.services.ports.intake import Arrival, RunStart
from orchestrator.services.ports.running import ServiceRef
from orchestrator.store.breakers import BreakerStore
from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.locks import TIMERS, AdvisoryLock
from orchestrator.store.notifier import Notifier
from orchestrator.store.runs import RunStore
from orchestrator.store.waiting import WaitingRuns
from orchestrator.store.waker import EmbeddedWaker
from parvis.metrics import Meter
from schemas import clock
from schemas.commands import Command
from schemas.errors import PartnerMisconfiguredError, PartnerThrottledError, PartnerUnavailableError
from schemas.messages import Message
from schemas.receipts import ProbeLevel, ProbeResult, Receipt

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(60)]
HURRIED = Pace(first=0.3, most=0.6, access=0.5, patience=1.0, trial=5.0)
PATIENT = "5min x5; then dead-letter"


class Systems:
    """The city's systems: what each one does now, and every call it was sent."""

    def __init__(self):
        self.failing, self.calls, self.probes, self.poison = {}, [], [], {}
        self.hanging, self.freed = set(), Event()

    def open(self, connector, profile, settings, secrets):
        return _System(self, profile, secrets.get("key", ""))

    def fails_with(self, profile, key=None):
        if profile in self.poison and key is not None:
            self.poison[profile] = self.poison[profile] or key
            if key == self.poison[profile]:
                return PartnerUnavailableError(profile, "do")
        failure = self.failing.get(profile)
        return failure(profile, "do") if failure else None


class _System:
    def __init__(self, city, profile, key):
        self.city, self.profile, self.key = city, profile, key

    def call(self, operation, command, log):
        self.city.calls.append((self.profile, command.key, clock.monotonic()))
        if self.profile in self.city.hanging:
            self.city.freed.wait()
        error = self.city.fails_with(self.profile, command.key)
        if error:
            raise error
        return Receipt(external_ref=command.key)

    def probe(self, level):
        self.city.probes.append((self.profile, level))
        error = self.city.fails_with(self.profile)
        return ProbeResult(
            level=level,
            is_up=error is None,
            probed_at=clock.utcnow(),
            recovery=error.recovery if error else None,
        )

    def close(self):
        pass


class Hub:
    """One life of the hub: its worker, its timers, its own copy of the breakers."""

    def __init__(self, database, vault, keys, systems, *, versions, greenlets=16):
        notifier, committer = Notifier(database), Committer(database)
        self.inbox = PostgresInbox(database, committer, vault, notifier)
        self.breakers = BreakerStore(database)
        self.gateway = Gateway(
            secrets=Secrets(),
            breakers=self.breakers,
            bulkhead=Bulkhead(greenlets),
            opening=systems.open,
            pace=HURRIED,
        )
        self.versions = versions
        self.journey = Journey(
            name="test.journey",
            version=1,
            starts_on=(),
            key=lambda source, subject: subject,
            steps=(Local("call", self._call),),
        )
        runs = RunStore(database, committer, vault, notifier)
        executor = Executor(
            runs=runs,
            steps=StepRunner(
                gateway=self.gateway, gate=None, services=None, keys=keys, public_url=""
            ),
            world=None,
            journeys=lambda _name, _version: self.journey,
            policy=lambda: RetryPolicy.read(PATIENT),
            worker="test",
            meter=Meter(),
        )
        self.worker = Worker(waker=EmbeddedWaker(database), executor=executor, greenlets=greenlets)
        self.timers = Timers(
            runs=runs, lock=AdvisoryLock(database, TIMERS), poke=notifier.poke, chores=()
        )
        self.probes = Probes(
            breakers=BreakerStore(database),  # as in a scheduler apart from the workers
            gateway=self.gateway,
            runs=self,
            system=self.service,
            most_per_second=lambda _profile: 50,
            pace=HURRIED,
        )
        self.jobs = []
        self.waiting, self.woken = WaitingRuns(database, notifier.poke), []

    def wake(self, profile, *, most):
        self.woken.append(self.waiting.wake(profile, most=most))
        return self.woken[-1]

    def service(self, profile):
        return ServiceRef(
            id=profile,
            kind="library",
            name="L",
            profile=profile,
            connector="x",
            settings={},
            version=self.versions.get(profile, "1"),
        )

    def _call(self, context):
        profile = context.start.subject.partition("/")[0]
        command = Command(
            key=f"{context.run_id}:call", operation="do", data={}, pseudonym="", purpose="x"
        )
        receipt = self.gateway.call(self.service(profile), command, [])
        return Done(output={"ref": receipt.external_ref})

    def start(self):
        loops = (self.worker.run, self.timers.run, self._chores)
        self.jobs = [gevent.spawn(loop) for loop in loops]

    def _chores(self):
        while True:
            self.probes()
            gevent.sleep(1.0)

    def stop(self):
        self.timers.stop()
        self.worker.stop(grace_seconds=2)
        gevent.joinall(self.jobs[:2], timeout=3)
        gevent.killall(self.jobs)


class Secrets:
    def values(self, names):
        return dict.fromkeys(names, "x")


class Night:
    """A city's tables, its systems, and the hubs that live one after the other."""

    def __init__(self, database, vault, keys):
        self.database, self.vault, self.keys = database, vault, keys
        self.systems, self.hubs, self.versions = Systems(), [], {}
        self.numbers = count()

    def begin(self, **options):
        for hub in self.hubs:
            hub.stop()
        hub = Hub(
            self.database, self.vault, self.keys, self.systems, versions=self.versions, **options
        )
        self.hubs = [hub]
        hub.start()
        return hub

    def end(self):
        self.systems.freed.set()
        for hub in self.hubs:
            hub.stop()

    def know(self, *profiles):
        for profile in profiles:
            self.database.run(
                "INSERT INTO profile(id, connector, settings) VALUES (%s, 'x', '{}')", (profile,)
            )

    def arrive(self, profile, how_many):
        for number in islice(self.numbers, how_many):
            event_id = f"{profile}/{number}"
            message = Message(type="t.v1", source="/p", id=event_id, subject=event_id, data={})
            start = RunStart(journey="test.journey", version=1, key=event_id, data={})
            self.hubs[0].inbox.accept(
                Arrival(message=message, body=b"", body_digest=b"x", headers={}, starts=start)
            )

    def count(self, status, profile):
        sql = "SELECT count(*) AS n FROM run WHERE status = %s AND key LIKE %s"
        return self.database.one(sql, (status, f"{profile}/%"))["n"]

    def state(self, profile):
        return BreakerStore(self.database).standing(profile).state

    def until(self, holds, seconds=20):
        with gevent.Timeout(seconds):
            while not holds():
                gevent.sleep(0.05)

    def steps(self, outcome):
        sql = "SELECT count(*) AS n FROM step WHERE outcome = %s"
        return self.database.one(sql, (outcome,))["n"]


@pytest.fixture
def night(database, vault, hub_keys):
    made = Night(database, vault, hub_keys)
    yield made
    made.end()


def test_a_system_that_was_down_all_night_is_served_by_nobody_in_order_and_gently(night):
    night.know("ils")
    night.systems.failing["ils"] = PartnerUnavailableError
    night.begin()
    night.arrive("ils", 14)
    night.until(lambda: night.state("ils") is State.OPEN)
    night.until(lambda: night.count("waiting_timer", "ils") == 14)
    sent = len(night.systems.calls)
    assert sent <= 14

    night.begin()  # the hub is started again in the middle of the outage
    gevent.sleep(2.5)
    assert len(night.systems.calls) == sent  # nobody insisted
    assert len(night.systems.probes) >= 2

    parked = night.steps("deferred")
    night.systems.failing.clear()
    night.until(lambda: night.state("ils") is State.CLOSED)
    waited = night.database.one(
        "SELECT count(*) AS n FROM run WHERE status = 'done' OR waiting_for = 'system:ils'"
    )["n"]
    night.until(lambda: night.count("done", "ils") >= waited)

    after = night.systems.calls[sent:]
    waves = [woken for woken in night.hubs[0].woken if woken]
    assert waves[0] == 1
    assert all(wave <= 2 * before for before, wave in pairwise(waves))
    assert sum(waves) >= len(after)
    order = {
        str(row["id"]): index
        for index, row in enumerate(night.database.all("SELECT id FROM run ORDER BY created_at"))
    }
    served = [order[key.partition(":")[0]] for _, key, _ in after]
    assert served[0] == min(served)
    assert night.count("stuck", "ils") == 0
    assert night.steps("error") == sent
    assert night.steps("deferred") <= parked + 3  # who is woken is served


def test_refused_access_waits_for_mended_settings_and_goes_on_by_itself(night):
    night.know("ils")
    night.systems.failing["ils"] = PartnerMisconfiguredError
    hub = night.begin()
    night.arrive("ils", 6)
    night.until(lambda: night.count("waiting_timer", "ils") == 6)
    assert {row["cause"] for row in night.database.all("SELECT cause FROM breaker")} == {"access"}
    night.until(lambda: night.systems.probes)
    assert {level for _, level in night.systems.probes} == {ProbeLevel.AUTHENTICATED}
    assert night.steps("error") == 0

    night.database.run("UPDATE breaker SET next_probe_at = parvis_now() + interval '1 hour'")
    night.systems.failing.clear()
    night.versions["ils"] = "2"
    night.until(lambda: night.count("done", "ils") == 6)
    assert hub.breakers.rows()[0].state is State.CLOSED


def test_a_system_that_asks_for_a_pause_gets_it_from_everybody_and_nothing_is_counted(night):
    night.know("ils")
    night.systems.failing["ils"] = lambda *told: PartnerThrottledError(*told, retry_after=2.0)
    night.begin()
    night.arrive("ils", 1)
    night.until(lambda: night.systems.calls)
    night.until(lambda: night.steps("deferred") >= 1)
    asked_at = night.systems.calls[0][2]
    night.systems.failing.clear()
    night.arrive("ils", 9)
    night.until(lambda: night.count("done", "ils") == 10)
    later = [at - asked_at for _, _, at in night.systems.calls[1:]]
    assert len(later) == 10
    assert min(later) >= 1.9
    assert night.steps("error") == 0
    assert night.state("ils") is State.CLOSED


def test_a_system_that_hangs_slows_nobody_else(night):
    night.know("sick", "a", "b", "c", "d")
    night.systems.hanging.add("sick")
    night.begin(greenlets=16)
    for profile in ("a", "b", "c", "d"):
        night.arrive(profile, 1)
    night.until(lambda: all(night.count("done", each) == 1 for each in "abcd"))

    night.arrive("sick", 60)
    healthy = ("a2", "b2", "c2", "d2")
    night.know(*healthy)
    for profile in healthy:
        night.arrive(profile, 15)
    night.until(lambda: sum(night.count("done", each) for each in healthy) == 60)

    hung = [profile for profile, _, _ in night.systems.calls if profile == "sick"]
    assert 0 < len(hung) <= 16 // 2
    assert night.count("done", "sick") == 0
    night.until(lambda: night.count("waiting_timer", "sick") >= 60 - len(hung))

    night.systems.hanging.clear()
    night.systems.freed.set()
    night.database.run("UPDATE run SET wake_at = parvis_now() WHERE status = 'waiting_timer'")
    night.until(lambda: night.count("done", "sick") == 60)
    assert night.steps("error") == 0


def test_one_poison_message_leaves_the_breaker_closed_and_the_others_alone(night):
    night.know("ils")
    night.systems.poison["ils"] = None  # the first message it sees
    night.begin()
    night.arrive("ils", 1)
    for tries in range(1, 7):
        night.until(lambda tries=tries: night.steps("error") >= tries)
        night.arrive("ils", 1)
        night.until(lambda tries=tries: night.count("done", "ils") >= tries)
        night.database.run("UPDATE run SET wake_at = parvis_now() WHERE wake_at IS NOT NULL")
    night.until(lambda: night.count("stuck", "ils") == 1)
    assert night.count("done", "ils") == 6
    assert night.database.all("SELECT profile FROM breaker") == []
