"""A city of real processes for campaigns: the demonstration's ground, with as many of each as wanted.

Only the main thread starts processes (Linux ends them with it), so campaigns send from other
threads and kill and mend from this one.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from mock_partners.senders import Sender
from orchestrator.services.access_codes import code_of, digest_of
from orchestrator.store.library import AccessCodeTable
from orchestrator.store.locks import RELAY, TIMERS, WAKER
from parvis.bootstrap import Hub, open_hub
from parvis.demo import ground
from parvis.demo.environment import environment_of
from parvis.demo.facts import Facts
from parvis.demo.folder import HOST
from parvis.demo.options import DemoOptions
from parvis.demo.systems import Mock
from parvis.settings import Settings
from schemas.errors import StoreUnavailableError
from tools.rabbitmq import free_port

LIBRARIES = {"13055": "koha_marseille", "13001": "koha_aix", "83050": "koha_draguignan"}
GATEWAY = "sms_city"
BESIDE = {
    "worker2": "parvis.worker",
    "relay": "parvis.relay",
    "relay2": "parvis.relay",
    "scheduler": "parvis.scheduler",
    "scheduler2": "parvis.scheduler",
}
# one sender says everything, so its own limit is out of the way unless a campaign is about it
_WAITING = """
SELECT c.id FROM access_code c JOIN run r ON r.id = c.run_id
 WHERE c.redeemed_at IS NULL AND r.waiting_for = 'access_code.redeemed'
   AND r.status = 'waiting_signal' LIMIT 100"""
PLENTY = {"PARVIS_REQUESTS_PER_MINUTE": "10000000"}


class Town(ground.Ground):
    """Everything that runs, with ``more`` settings for all of it; ``beside`` mends what is not ours."""

    def __init__(
        self,
        folder: Path,
        *,
        broker_url: str | None = None,
        more: dict[str, str] | None = None,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(DemoOptions(folder=folder))
        self._mend_beside = beside
        self._broker_url = broker_url
        self._more = {**PLENTY, **(more or {})}
        if broker_url is not None:
            self._more["PARVIS_BROKER_URL"] = broker_url
        self.kills = 0
        self.terminated: set[int] = set()
        self.ended_at: dict[int, float] = {}
        self._hubs: dict[str, str] = {}

    # --- starting ---------------------------------------------------------------------------------

    def _start_database(self) -> None:
        super()._start_database()
        with self.folder.environment.open("a", encoding="utf-8") as settings:
            settings.writelines(f"{name}={value}\n" for name, value in self._more.items())

    def _await_all(self) -> None:
        """With a broker there are two of each: workers at once, relays and schedulers in turns."""
        if self._broker_url is None:
            super()._await_all()
            return
        for name, module in BESIDE.items():
            self.run_beside(name, "-m", module)
        for name in self.city.mocks:
            self._ready("mocks", partial(ground._listens, self.city.ports[name]))
        self._ready("web", partial(ground._answers, f"{self.hub}/readyz"))
        self._ready("relay", self.is_ready)

    def run_beside(self, name: str, *arguments: str, more: dict[str, str] | None = None) -> None:
        """Start one more process of the hub, mended like the others."""
        self.crew.start(self._program(name, *arguments, more=more))

    def run_second_web(self) -> str:
        """Start another web server on the same city; returns its address."""
        port = free_port()
        gunicorn = ("-m", "gunicorn", "--no-control-socket", "--config")
        configuration = str(ground.PACKAGE / "gunicorn_conf.py")
        bound = {"PARVIS_BIND": f"{HOST}:{port}"}
        self.run_beside("web2", *gunicorn, configuration, more=bound)
        self._hubs = {"web": self.hub, "web2": f"http://{HOST}:{port}"}
        self.until(lambda: self.answers("web2"), "the second web server", 180)
        return self._hubs["web2"]

    def answers(self, name: str) -> bool:
        """Whether a web server says that it is ready."""
        return ground._answers(f"{self._hubs[name]}/readyz")

    # --- what it is -------------------------------------------------------------------------------

    @cached_property
    def facts(self) -> Facts:
        return Facts(self.database_url)

    @cached_property
    def hub(self) -> str:
        return f"http://{HOST}:{self.city.ports['hub']}"

    @cached_property
    def product(self) -> Hub:
        """The hub's own parts in this process, for what a page would do."""
        return open_hub(Settings.read(environment_of(self.folder, {})))

    def mock(self, name: str) -> Mock:
        return Mock(self.city.mocks[name])

    def sender(self, event_type: str) -> Sender:
        row = next(each for each in self.city.partners if event_type in each["allowed_events"])
        return Sender.read(row)

    def rows(self, sql: str, parameters=None) -> list[dict]:
        """Read, waiting while the server is away."""
        for _ in range(200):
            try:
                with psycopg.connect(
                    self.database_url, autocommit=True, row_factory=dict_row, connect_timeout=5
                ) as connection:
                    return connection.execute(sql, parameters).fetchall()
            except psycopg.OperationalError:
                time.sleep(0.1)
        message = "the database did not come back"
        raise AssertionError(message)

    # --- what is done to it -----------------------------------------------------------------------

    def kill(self, name: str) -> int | None:
        """Kill -9 a process; ``mend`` starts its successor. None when it is not running now."""
        pid = self.crew.pids.get(name)
        if pid is None:
            return None
        self.crew._posts[name].failures = 0  # an accident of ours is no reason for a pause
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.kills += 1
        return pid

    def terminate(self, name: str) -> int:
        """SIGTERM a process; returns its number."""
        pid = self.crew.pids[name]
        self.crew._posts[name].failures = 0
        self.terminated.add(pid)
        os.kill(pid, signal.SIGTERM)
        return pid

    def mend(self) -> tuple[str, ...]:
        """Start again what died, and remember when it did."""
        running = set(self.crew.pids.values())
        for pid in self.terminated - running:
            self.ended_at.setdefault(pid, time.monotonic())
        self._mend_beside()
        return super().mend()

    def mend_for(self, seconds: float) -> None:
        """Start again what died, for some time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.mend()
            time.sleep(0.05)

    def until(self, is_so, what, seconds: float) -> float:
        """Mend until something is so; returns how long it took."""
        begun = time.monotonic()
        while not is_so():
            self.mend()
            took = time.monotonic() - begun
            assert took < seconds, f"{what() if callable(what) else what} within {seconds:.0f} s"
            time.sleep(0.1)
        return time.monotonic() - begun

    def is_ready(self) -> bool:
        """Whether somebody carries wakes and somebody keeps time."""
        try:
            carrying = WAKER if self._broker_url is None else RELAY
            return self.facts.is_held(carrying) and self.facts.is_held(TIMERS)
        except psycopg.Error:
            return False

    def redeem_some(self) -> int:
        """Use up codes of runs that wait for theirs, as the people would; returns how many."""
        try:
            with psycopg.connect(
                self.database_url, autocommit=True, row_factory=dict_row, connect_timeout=5
            ) as connection:
                rows = connection.execute(_WAITING).fetchall()
            hub = self.product
            table = AccessCodeTable(database=hub.database, poke=lambda: None)
            codes = [digest_of(hub.keys, code_of(hub.keys, row["id"])) for row in rows]
            return sum(table.redeem(code) for code in codes)
        except (psycopg.Error, StoreUnavailableError):
            return -1

    def stop(self) -> None:
        if "facts" in self.__dict__:
            self.facts.close()
        if "product" in self.__dict__:
            self.product.database.close()
        super().stop()

    def log_of(self, name: str) -> str:
        return (self.folder.logs / f"{name}.log").read_text(errors="replace")
