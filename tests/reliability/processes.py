"""Processes of the hub inside the test's own: wired by the product, killed and started at will."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import gevent

from orchestrator.runtime.probes import Probes
from orchestrator.services.access_codes import AccessCodes
from orchestrator.services.snapshots import Snapshot
from orchestrator.store.library import AccessCodeTable, AttemptCounters
from orchestrator.store.waker import EmbeddedWaker
from parvis import wsgi
from parvis.bootstrap import Hub
from tests.reliability import journeys
from tests.reliability.broker import Consumer, Steps
from tests.reliability.cables import StagedDatabase
from tests.reliability.stage import KilledError


class Quiet:
    """A notifier nobody hears: the schedule says when a process looks."""

    def poke(self) -> None:
        """Nothing: a lost notice costs a poll, never a wake."""


@dataclass(frozen=True, eq=False)
class Process(Hub):
    """One process: the hub's own wiring, with the database, the systems and time in our hands."""

    __eq__ = object.__eq__  # two processes of one hub are two
    __hash__ = object.__hash__

    play: object = field(kw_only=True)
    name: str = field(kw_only=True)

    @cached_property
    def database(self):
        return StagedDatabase(self.play.ground.cables, lambda sql: self.play.fate_of(self, sql))

    @cached_property
    def notifier(self):
        return Quiet()

    @cached_property
    def meter(self):
        return self.play.ground.meter

    @cached_property
    def offer(self):
        return self.play.ground.offer

    @cached_property
    def gateway(self):
        made = super().gateway
        made._opening = self.play.city.opening(self)
        return made

    @cached_property
    def fault(self):
        return lambda place: self.play.reached(self, place)

    @cached_property
    def waker(self):
        broker = self.play.broker
        return EmbeddedWaker(self.database) if broker is None else Consumer(broker)

    @cached_property
    def worker(self):
        made = super().worker
        made._waker = Steps(self.waker, self.play.stage, self)
        return made

    @cached_property
    def executor(self):
        made = super().executor
        made._mover._journeys = journeys.journey_for
        made._children._newest = journeys.newest
        return made

    @cached_property
    def breakers(self):
        """The product's, without its second of memory: a campaign's second is a month."""
        made = super().breakers
        made._snapshot = Snapshot(made._known, renew=0.0, oldest=0.0)
        return made

    @cached_property
    def operations(self):
        return replace(self.repairs.operations, versions=journeys.versions)

    @cached_property
    def probes(self):
        """The chore that tries systems whose breaker is open."""
        return next(chore for chore in self.timers._chores if isinstance(chore, Probes))

    @cached_property
    def intake(self):
        return replace(wsgi._intake(self), route=journeys.route)

    @cached_property
    def codes(self):
        return AccessCodes(
            rows=AccessCodeTable(database=self.database, poke=self.notifier.poke),
            attempts=AttemptCounters(database=self.database),
            keys=self.keys,
        )

    @cached_property
    def greenlets(self) -> list:
        return []

    def start(self) -> None:
        """Begin to work."""
        self.greenlets.append(gevent.spawn(self.worker.run))

    def do(self, function, *arguments, **how):
        """Do something in a greenlet of this process; returns the greenlet."""
        made = gevent.spawn(function, *arguments, **how)
        self.greenlets.append(made)
        return made

    @property
    def is_committing(self) -> bool:
        """Whether rows wait for the committer, which gathers them for a moment when it is busy."""
        return "committer" in self.__dict__ and bool(self.committer._waiting)

    @property
    def alive(self) -> int:
        """How many greenlets of the worker have not ended."""
        mine = [*self.greenlets, *self.worker._pool.greenlets]
        return sum(not each.dead for each in mine)

    def kill(self) -> None:
        """End at once, as kill -9 does: no statement, no answer, no last word."""
        self.database.cut()
        mine = [*self.greenlets]
        if "worker" in self.__dict__:
            mine += list(self.worker._pool.greenlets)
        if "committer" in self.__dict__ and self.committer._greenlet is not None:
            mine.append(self.committer._greenlet)
        self.database.is_away = True
        gevent.killall(mine, exception=KilledError, block=True, timeout=5)
        self.database.cut()
        if self.play.broker is not None:
            self.waker.close()
