"""The composition root: one hub per process, its parts made when first asked for.

A process that forks makes its hub after the fork.
"""

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import structlog

import connectors
from orchestrator import journeys
from orchestrator.broker.connection import Broker
from orchestrator.broker.dead_letters import DeadLetterKeeper
from orchestrator.broker.publisher import ConfirmedPublisher
from orchestrator.broker.waker import BrokerWaker, prefetch_for
from orchestrator.engine.definitions import check_operations
from orchestrator.engine.faults import FaultPoint, no_faults
from orchestrator.runtime.bulkhead import Bulkhead
from orchestrator.runtime.endings import EndsTold, told_to_nobody
from orchestrator.runtime.executor import Executor
from orchestrator.runtime.gateway import Gateway
from orchestrator.runtime.pacing import Pacer
from orchestrator.runtime.periodic import Beat, Periodic
from orchestrator.runtime.probes import Probes
from orchestrator.runtime.relay import Relay
from orchestrator.runtime.replays import MoveReplays
from orchestrator.runtime.steps import StepRunner
from orchestrator.runtime.timers import Timers
from orchestrator.runtime.upkeep import Apart, Rarely
from orchestrator.runtime.worker import Worker
from orchestrator.runtime.world import CityWorld
from orchestrator.services.configuration import Configuration
from orchestrator.services.configuration_checks import needs_of
from orchestrator.services.consents import Consents
from orchestrator.services.offer import LiveOffer
from orchestrator.services.ports.offer import Catalogued, Requirements
from orchestrator.services.ports.running import ServiceRef
from orchestrator.services.ports.waking import Waker
from orchestrator.services.quiet_hours import QuietHours
from orchestrator.services.realm_effects import RealmEffects
from orchestrator.services.sign_in import SignIn
from orchestrator.services.signals import Signals
from orchestrator.services.staff_links import StaffLinks
from orchestrator.services.system_policies import SystemPolicies
from orchestrator.store.breakers import BreakerStore
from orchestrator.store.committer import Committer
from orchestrator.store.configuration import ConfigurationRows
from orchestrator.store.connections import Database
from orchestrator.store.consent import ConsentReader
from orchestrator.store.exchanges import ExchangeLog
from orchestrator.store.forgetting import forget
from orchestrator.store.health import answers
from orchestrator.store.identity import PeopleReader
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.journal_chain import JournalRows, SealChore
from orchestrator.store.locks import TIMERS, AdvisoryLock
from orchestrator.store.notifier import Notifier
from orchestrator.store.offer import OfferRowsReader
from orchestrator.store.outbox import DeadWakeRows, Outbox
from orchestrator.store.pacing import PaceRows
from orchestrator.store.partitions import make_ahead
from orchestrator.store.realm_effects import RealmEffectTable
from orchestrator.store.runs import RunStore
from orchestrator.store.secrets import SecretRows
from orchestrator.store.staff import StaffTable
from orchestrator.store.unheard import Unheard
from orchestrator.store.vault import Vault
from orchestrator.store.waiting import WaitingRuns
from orchestrator.store.waker import EmbeddedWaker
from parvis.journal_checkpoints import FOLDER, Checkpoints
from parvis.metrics import Meter
from parvis.realm_accounts import open_accounts
from parvis.repairs import Repairs
from parvis.settings import Settings
from parvis.sign_in import make_sign_in, realm_of, refresh_descriptors, service_provider
from schemas import events
from schemas.keys import HubKeys
from schemas.logins import Face

log = structlog.get_logger()


@dataclass(frozen=True)
class Hub:
    """Everything a process of the hub is made of."""

    settings: Settings

    # --- ground -----------------------------------------------------------------------------------

    @cached_property
    def database(self) -> Database:
        """The pool of this process."""
        return Database(self.settings.database_url)

    @cached_property
    def vault(self) -> Vault:
        """Opens and seals personal payloads."""
        return Vault(self.settings.master_keys)

    @cached_property
    def keys(self) -> HubKeys:
        """The hub's own keys."""
        return HubKeys.derive(self.settings.master_keys[0])

    @cached_property
    def committer(self) -> Committer:
        """Shared commits."""
        return Committer(self.database)

    @cached_property
    def reader(self) -> Committer:
        """Shared reads: the same on a connection of its own, so that none waits for a commit."""
        return Committer(self.database)

    @cached_property
    def notifier(self) -> Notifier:
        """Tells the waker."""
        return Notifier(self.database)

    @cached_property
    def fault(self) -> FaultPoint:
        """Where crash tests kill this process; nothing otherwise."""
        return _killing(self.settings.test_fault) if self.settings.test_fault else no_faults

    @cached_property
    def meter(self) -> Meter:
        """The counters of this process."""
        return Meter()

    # --- stores -----------------------------------------------------------------------------------

    @cached_property
    def runs(self) -> RunStore:
        """The runs."""
        return RunStore(
            self.database, self.committer, self.vault, self.notifier, reader=self.reader
        )

    @cached_property
    def inbox(self) -> PostgresInbox:
        """The inbox."""
        return PostgresInbox(
            self.database, self.committer, self.vault, self.notifier, fault=self.fault
        )

    @cached_property
    def secrets(self) -> SecretRows:
        """The secrets of the configuration."""
        return SecretRows(self.database, self.vault)

    @cached_property
    def breakers(self) -> BreakerStore:
        """The state of the systems."""
        return BreakerStore(self.database)

    @cached_property
    def people(self) -> PeopleReader:
        """People by reference."""
        return PeopleReader(self.database)

    # --- the city ---------------------------------------------------------------------------------

    @cached_property
    def catalogue(self) -> Mapping[str, type[connectors.Connector]]:
        """The connectors of this installation."""
        return connectors.catalogue()

    @cached_property
    def offer(self) -> LiveOffer:
        """What the city offers now."""
        return LiveOffer(OfferRowsReader(self.database))

    @cached_property
    def configuration(self) -> Configuration:
        """Plan, apply and export of the city."""
        return Configuration(
            store=ConfigurationRows(self.database),
            secrets=self.secrets,
            requirements=self.requirements,
        )

    @cached_property
    def requirements(self) -> Requirements:
        """What a configuration is checked against: connectors, and what journeys ask of them."""
        known = {
            name: Catalogued(
                manifest=cls.manifest, operations=frozenset(connectors.operations(name))
            )
            for name, cls in self.catalogue.items()
        }
        return Requirements(
            connectors=known,
            needs=needs_of(journeys.all_journeys().values()),
            event_types=frozenset(events.catalogue()),
        )

    @cached_property
    def consents(self) -> Consents:
        """The gate."""
        return Consents(book=ConsentReader(self.reader))

    @cached_property
    def repairs(self) -> Repairs:
        """What people use to look after runs."""
        return Repairs(
            database=self.database, vault=self.vault, notifier=self.notifier, runs=self.runs
        )

    @cached_property
    def unheard(self) -> Unheard:
        """Messages that joined a run too late."""
        return Unheard(self.database, self.vault, newest=journeys.newest, poke=self.notifier.poke)

    @cached_property
    def staff_links(self) -> StaffLinks:
        """Sign-in links of the console."""
        return StaffLinks(rows=StaffTable(database=self.database, vault=self.vault), keys=self.keys)

    @cached_property
    def journal(self) -> JournalRows:
        """The journal's chain."""
        return JournalRows(database=self.database)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The journal's signed checkpoints."""
        return Checkpoints(
            rows=self.journal,
            secrets=self.secrets,
            origin=self.settings.public_url,
            folder=self.settings.data_dir / FOLDER,
        )

    def sign_in(self, face: Face) -> SignIn:
        """Return the use cases of signing in on one face, with the realm and the key pair of now."""
        provider = partial(service_provider, self.settings, self.database, self.secrets, face)
        return make_sign_in(provider, self.database, vault=self.vault, keys=self.keys, face=face)

    @cached_property
    def realm_effects(self) -> RealmEffects:
        """What the citizens' realm must still be told."""
        return RealmEffects(
            rows=RealmEffectTable(database=self.database, vault=self.vault),
            issuer=realm_of(self.settings, Face.CITIZEN),
            accounts=lambda: open_accounts(self.settings, self.secrets),
        )

    @cached_property
    def signals(self) -> Signals:
        """Tells runs what they wait for."""
        return Signals(rows=self.runs, journeys=journeys.journey_for)

    # --- running ----------------------------------------------------------------------------------

    @cached_property
    def gateway(self) -> Gateway:
        """The door to the systems."""
        bulkhead = Bulkhead(self.settings.greenlets)
        pacer = Pacer(paces=PaceRows(self.database), limit=self.system_policies.limit)
        return Gateway(
            secrets=self.secrets,
            breakers=self.breakers,
            bulkhead=bulkhead,
            wait_turn=pacer.wait_turn,
        )

    @cached_property
    def system_policies(self) -> SystemPolicies:
        """How patient we are with each system."""
        return SystemPolicies(self.offer)

    @cached_property
    def quiet_hours(self) -> QuietHours:
        """When people may be written to."""
        return QuietHours(self.offer)

    def system(self, profile: str) -> ServiceRef | None:
        """Return a system as one of the services it answers for, or None when there is none."""
        offer = self.offer.current()
        return next((offer.service(row.id) for row in offer.services_of(profile)), None)

    @cached_property
    def executor(self) -> Executor:
        """Moves runs; refuses journeys that ask what no connector can do."""
        check_operations(journeys.all_journeys().values(), self._offered())
        steps = StepRunner(
            gateway=self.gateway,
            gate=self.consents,
            services=self.offer,
            keys=self.keys,
            public_url=self.settings.public_url,
            may_send_at=self.quiet_hours.may_send_at,
        )
        return Executor(
            runs=self.runs,
            steps=steps,
            world=CityWorld(self.offer, self.people),
            journeys=journeys.journey_for,
            policy=self.system_policies.cascade,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            meter=self.meter,
            fault=self.fault,
            ends_told=EndsTold(self.offer) if self._has_listeners else told_to_nobody,
        )

    @property
    def _has_listeners(self) -> bool:
        """Whether there is a bus, and somebody on it who wants to know of runs."""
        return self.settings.broker_url is not None and self.settings.bus_events == "all"

    def _offered(self) -> Mapping[str, frozenset[str]]:
        """Return the operations that the connectors of each kind of service have."""
        offered: dict[str, frozenset[str]] = {}
        for name, connector in self.catalogue.items():
            for kind in connector.manifest.kinds:
                offered[kind] = offered.get(kind, frozenset()) | set(connectors.operations(name))
        return offered

    @cached_property
    def broker(self) -> Broker | None:
        """RabbitMQ, when there is one."""
        return Broker(self.settings.broker_url) if self.settings.broker_url else None

    @cached_property
    def waker(self) -> Waker:
        """What wakes the worker: RabbitMQ, or the outbox itself."""
        if self.broker is None:
            return EmbeddedWaker(self.database)
        return BrokerWaker(
            self.broker,
            prefetch=prefetch_for(self.settings.greenlets),
            store_answers=lambda: answers(self.database),
            on_lost=self.runs.wake_all,
        )

    def relay(self, broker: Broker) -> Relay:
        """Return the loop that carries the outbox to a broker."""
        return Relay(
            outbox=Outbox(self.database),
            publisher=ConfirmedPublisher(broker, on_lost=self.runs.wake_all),
            meter=self.meter,
            fault=self.fault,
        )

    def dead_letter_keeper(self, broker: Broker) -> DeadLetterKeeper:
        """Return the loop that empties the queue of dead wakes."""
        rows = DeadWakeRows(self.database)
        return DeadLetterKeeper(broker, rows, on_lost=self.runs.wake_all)

    @cached_property
    def worker(self) -> Worker:
        """The loop of a worker process."""
        return Worker(
            waker=self.waker,
            executor=self.executor,
            greenlets=self.settings.greenlets,
            fault=self.fault,
        )

    @cached_property
    def timers(self) -> Timers:
        """Timers, sweeper and chores of a worker process."""
        return Timers(
            runs=self.runs,
            lock=AdvisoryLock(self.database, TIMERS),
            poke=self.notifier.poke,
            chores=(
                Periodic(beats=self.beats, gateway=self.gateway, kept=ExchangeLog(self.database)),
                Probes(
                    breakers=self.breakers,
                    gateway=self.gateway,
                    runs=WaitingRuns(self.database, self.notifier.poke),
                    system=self.system,
                    most_per_second=self.system_policies.most_per_second,
                ),
                MoveReplays(self.repairs.replays),
                Apart("realm.told", self.realm_effects.carry_out),
                SealChore(self.journal),
                Rarely("journal.checkpoint", self.checkpoints.write_due, every_seconds=600),
                Rarely("messages.taken_up", self.unheard.take_up, every_seconds=1),
                Rarely(
                    "partitions.made",
                    lambda: len(make_ahead(self.database)),
                    every_seconds=86_400,
                ),
                Rarely(
                    "forgotten",
                    lambda: forget(self.database, self.vault) + self.staff_links.forget_ended(),
                    every_seconds=600,
                ),
                Rarely(
                    "realms.read",
                    lambda: refresh_descriptors(self.settings, self.database),
                    every_seconds=3600,
                ),
            ),
        )

    def beats(self) -> Sequence[Beat]:
        """What connectors do by the clock, in the configuration in force."""
        offer = self.offer.current()
        found = []
        for row in offer.services.values():
            service = offer.service(row.id)
            if service is None:
                continue
            manifest = self.catalogue[service.connector].manifest
            settings = manifest.with_defaults(service.settings)
            found += [
                Beat(
                    service=service,
                    operation=operation,
                    every_seconds=connectors.seconds(settings[setting]),
                )
                for operation, setting in manifest.periodic
            ]
        return found


def open_hub(settings: Settings) -> Hub:
    """Return the hub of this process; nothing is connected yet."""
    return Hub(settings=settings)


def _killing(point: str) -> FaultPoint:
    """Kill this process at one named point, once: a marker file says that it was done."""

    def at(name: str) -> None:
        if name == point and _first_time(point):
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    return at


def _first_time(point: str) -> bool:
    marker = os.environ.get("PARVIS_TEST_FAULT_MARKER")
    if not marker:
        return True
    try:
        os.close(os.open(f"{marker}.{point}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True
