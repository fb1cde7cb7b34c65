"""A city whose processes speak to everything through doors that a campaign spoils: R5's ground.

One worker, on purpose: two that make the same call at the same moment, because the bus gave the run
of one to the other, are the limit that campaigns of two workers know and count apart.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property, partial
from urllib.parse import urlsplit

from parvis.demo import ground
from parvis.demo.city import City
from parvis.demo.folder import HOST
from tests.crash.mixing import Mixer
from tests.crash.town import GATEWAY, LIBRARIES, Town
from tests.fakes.faulty_proxy import FAULTS, MIXED, Proxies

FRONT, WEB_DATABASE, WORKER_DATABASE = "sender-web", "web-postgresql", "worker-postgresql"
RELAY_BUS, WORKER_BUS = "relay-rabbitmq", "worker-rabbitmq"
SICK = LIBRARIES["13001"]
HEALTHY = tuple(profile for profile in LIBRARIES.values() if profile != SICK)
SYSTEMS = {profile: f"worker-{profile}" for profile in (*LIBRARIES.values(), GATEWAY)}
DATABASES = {"web": WEB_DATABASE, "worker": WORKER_DATABASE}
BUSES = {"worker": WORKER_BUS, "relay": RELAY_BUS, "relay2": RELAY_BUS}
BESIDE = {
    "relay": "parvis.relay",
    "relay2": "parvis.relay",
    "scheduler": "parvis.scheduler",
    "scheduler2": "parvis.scheduler",
}
_WAITED = """
SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM e.ended_at - r.created_at))
         AS seconds, count(*) AS n
  FROM exchange e JOIN run r ON r.id = e.run_id
 WHERE e.operation = 'preregister' AND e.status = 201 AND e.profile = ANY(%s)
   AND r.created_at BETWEEN %s AND %s"""

_UNDER_WAY = """
SELECT count(*) AS n FROM run WHERE created_at BETWEEN %s AND %s AND step < 5 AND ended_at IS NULL"""


@dataclass(frozen=True, kw_only=True)
class ProxiedCity(City):
    """A city whose systems are reached through doors; its doubles are asked directly."""

    doors: dict[str, int] = field(default_factory=dict)

    def address(self, name: str) -> str:
        return f"http://{HOST}:{self.doors.get(name) or self.ports[name]}"

    @property
    def mocks(self) -> dict[str, str]:
        return {name: f"http://{HOST}:{self.ports[name]}" for name in super().mocks}


class ProxiedTown(Town):
    """A town with a door between each pair of those who speak."""

    def __init__(self, folder, *, broker_port, broker_vhost, seed):
        at = f"amqp://guest:guest@{HOST}:{{}}/{broker_vhost}"
        super().__init__(folder, broker_url=at.format(broker_port))
        self._bus_at = at
        self._broker_port = broker_port
        self.proxies = Proxies(seed)
        self.deaths = Counter()

    @cached_property
    def city(self) -> City:
        plain = super().city
        doors = {
            profile: self._door(name, plain.ports[profile]) for profile, name in SYSTEMS.items()
        }
        return ProxiedCity(
            document=plain.document, ports=plain.ports, secrets=plain.secrets, doors=doors
        )

    @property
    def front(self) -> str:
        """The hub's address as partners see it."""
        return f"http://{HOST}:{self._door(FRONT, self.city.ports['hub'], reads_requests=True)}"

    def _door(self, name, port, **how):
        known = self.proxies.doors.get(name)
        return (known or self.proxies.before(name, port, **how)).port

    def _program(self, name, *arguments, more=None):
        """Tell a process the doors it has to go through, at each of its starts."""
        made = super()._program(name, *arguments, more=more)
        plain = made.environment
        made.environment = lambda: plain() | self._told(name)
        return made

    def _told(self, name):
        told = {}
        if name in DATABASES:
            url = urlsplit(self.database_url)
            door = self._door(DATABASES[name], url.port)
            there = self.database_url.replace(f":{url.port}/", f":{door}/")
            told["PARVIS_DATABASE_URL"] = there
        if name in BUSES:
            door = self._door(BUSES[name], self._broker_port)
            told["PARVIS_BROKER_URL"] = self._bus_at.format(door)
        return told

    def _await_all(self) -> None:
        for name, module in BESIDE.items():
            self.run_beside(name, "-m", module)
        for name in self.city.mocks:
            self._ready("mocks", partial(ground._listens, self.city.ports[name]))
        self._ready("web", partial(ground._answers, f"{self.hub}/readyz"))
        self._ready("relay", self.is_ready)

    def mend(self):
        mended = super().mend()
        self.deaths.update(mended)
        return mended

    def stop(self) -> None:
        self.proxies.heal()
        super().stop()
        self.proxies.close()

    def now(self):
        """Return the database's time."""
        return self.rows("SELECT clock_timestamp() AS now")[0]["now"]

    def waited(self, since, until) -> float:
        """Return how long 99 of 100 records of healthy libraries took, for events of a time."""
        row = self.rows(_WAITED, (list(HEALTHY), since, until))[0]
        return float(row["seconds"]) if row["n"] else 0.0

    def under_way(self, since, until) -> int:
        """Return how many runs of a time do not yet wait for their code to be used."""
        return int(self.rows(_UNDER_WAY, (since, until))[0]["n"])


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One fault at one door for some seconds, then some seconds of peace."""

    door: str
    fault: str
    seconds: float
    rest: float


def episodes(seed, *, rounds, seconds, rest):
    """Return every fault at every door, so many times, in an order of the seed's."""
    chances = random.Random(seed)
    byte_doors = (FRONT, WEB_DATABASE, WORKER_DATABASE, RELAY_BUS, WORKER_BUS)
    systems = [SYSTEMS[SICK], SYSTEMS[GATEWAY]]
    every = [(door, fault) for door in byte_doors for fault in FAULTS]
    every += [(systems[n % 2], fault) for n, fault in enumerate(FAULTS)]
    every += [(door, fault) for door in (FRONT, RELAY_BUS) for fault in MIXED]
    plan = []
    for _ in range(rounds):
        chances.shuffle(every)
        plan += sorted(every, key=lambda pair: pair[0] != FRONT)  # while events still come
    return [_episode(door, fault, chances, seconds, rest) for door, fault in plan]


def few_episodes(seed, *, seconds):
    """Return each fault at least twice and each door at least twice, in an order of the seed's."""
    chances = random.Random(seed)
    doors = [FRONT, WEB_DATABASE, WORKER_DATABASE, RELAY_BUS, WORKER_BUS, SYSTEMS[GATEWAY]]
    chances.shuffle(doors)
    turn = chances.randrange(1, len(doors))
    plan = list(zip(doors, FAULTS, strict=True))
    plan += [(doors[(n + turn) % len(doors)], fault) for n, fault in enumerate(FAULTS)]
    plan += [(door, fault) for door in (FRONT, RELAY_BUS) for fault in MIXED]
    chances.shuffle(plan)
    plan.sort(key=lambda pair: pair[0] != FRONT)  # while events still come
    return [_episode(door, fault, chances, seconds, 0.0) for door, fault in plan]


def _episode(door, fault, chances, seconds, rest):
    lasts = seconds * chances.uniform(0.7, 1.3)
    return Episode(door=door, fault=fault, seconds=lasts, rest=rest)


def spoil(town: ProxiedTown, episode: Episode, mixer: Mixer) -> None:
    """Have one episode while the load goes on, and the peace after it."""
    if episode.door == RELAY_BUS and episode.fault in MIXED:
        mixer.mix(episode.fault, partial(serve, town, 0.05), seconds=episode.seconds)
    else:
        town.proxies.arm(episode.door, episode.fault)
        serve(town, episode.seconds)
        town.proxies.heal()
    serve(town, episode.rest)


def serve(town: ProxiedTown, seconds: float) -> None:
    """Start again what died and let people use their codes, for some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        town.mend()
        town.redeem_some()
        time.sleep(0.05)
