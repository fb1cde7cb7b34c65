"""The two places wakes come from, driven alike by the contract."""

import gevent
import psycopg

from orchestrator.broker.connection import Broker
from orchestrator.broker.publisher import ConfirmedPublisher
from orchestrator.broker.waker import BrokerWaker
from orchestrator.services.ports.publishing import WAKE, OutboxRow
from orchestrator.store.notifier import CHANNEL
from orchestrator.store.waker import EmbeddedWaker
from schemas import clock, ids
from schemas.errors import StoreUnavailableError


def row(number, run_id=None, **changes):
    values = {"id": number, "event_id": f"e{number}-{ids.uuid7()}", "topic": WAKE, "payload": None}
    values |= {"key": run_id or ids.uuid7(), "created_at": clock.utcnow()}
    return OutboxRow(**(values | changes))


class Rig:
    """Makes wakers, sends them wakes, breaks what they stand on."""

    def __init__(self):
        self._made = []

    def active(self, **options):
        """A waker that receives."""
        made = self.waker(**options)
        assert acquired(made)
        return made

    def waker(self, **options):
        self._made.append(self._waker(**options))
        return self._made[-1]

    def close(self):
        for made in self._made:
            made.close()


class EmbeddedRig(Rig):
    def __init__(self, database):
        super().__init__()
        self.database = database

    def _waker(self):
        return EmbeddedWaker(self.database)

    def send(self, *run_ids):
        for run_id in run_ids:
            self.database.run("INSERT INTO outbox(topic, key) VALUES ('wake', %s)", (run_id,))
        self.database.run("SELECT pg_notify(%s, '')", (CHANNEL,))

    def cut(self):
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


class BrokerRig(Rig):
    def __init__(self, url, proxy=None):
        super().__init__()
        self.url, self.proxy = url, proxy
        self.store = True
        self.lost = []
        self.publisher = ConfirmedPublisher(Broker(url), on_lost=self._queue_lost)

    def _waker(self, prefetch=20):
        return BrokerWaker(
            Broker(self.url),
            prefetch=prefetch,
            store_answers=lambda: self.store,
            on_lost=self._queue_lost,
        )

    def send(self, *run_ids):
        rows = [row(number, run_id) for number, run_id in enumerate(run_ids, start=1)]
        assert len(self.publisher.send(rows).confirmed) == len(rows)

    def _queue_lost(self):
        if not self.store:
            raise StoreUnavailableError
        self.lost.append(1)

    def cut(self):
        self.proxy.cut()

    def close(self):
        super().close()
        self.publisher.close()


def acquired(waker, seconds=5):
    """Whether it begins to receive within a few seconds."""
    with gevent.Timeout(seconds, exception=False):
        while not waker.acquire():
            gevent.sleep(0.05)
        return True
    return False


def take(waker, number, *, most=100, seconds=5):
    """Take until so many came; fails with what came when they do not."""
    found = []
    with gevent.Timeout(seconds, exception=False):
        while len(found) < number:
            found += waker.take(most)
            if len(found) < number:
                waker.wait(0.2)
    assert len(found) == number, found
    return found


def nothing_comes(waker, seconds=0.4):
    """Nothing is there to take, and nothing arrives for a moment."""
    with gevent.Timeout(seconds, exception=False):
        while True:
            found = waker.take(100)
            assert found == []
            waker.wait(0.1)
    return True
