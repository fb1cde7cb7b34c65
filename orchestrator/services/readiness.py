"""Whether this process may be sent requests: database there, schema at head, no unknown journey.

Liveness asks none of this: a database that is away must not start a storm of restarts.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from orchestrator.services.ports.readiness import ReadinessStore
from orchestrator.services.snapshots import Snapshot
from schemas.errors import StoreUnavailableError

STOPPING: Final = "parvis.stopping"  # where an application keeps its ``Stopping``
_VERSIONS_RENEW, _VERSIONS_OLDEST = 10.0, 30.0
_LONGEST_WAIT_SECONDS = 30.0
_KEYS_OLD: Final = "Les clés des jetons n'ont pas été relues depuis plus d'un jour : voyez Keycloak et PARVIS_IDP_URL."


@dataclass(slots=True, kw_only=True)
class Stopping:
    """Whether this process was asked to stop, and how long it still serves after saying so."""

    notice_seconds: float = 0.0
    is_asked: bool = False

    def ask(self) -> None:
        """Turn readiness false: nobody should send requests here any more."""
        self.is_asked = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Checks made on demand; ``head`` and ``versions`` are what this code knows.

    ``are_keys_old`` tells that the realm's keys were not read for longer than they should be.
    """

    store: ReadinessStore
    head: str
    versions: Collection[tuple[str, int]]
    stopping: Stopping = field(default_factory=Stopping)
    are_keys_old: Callable[[], bool] = bool
    _under_way: Snapshot[Collection[tuple[str, int]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        snapshot = Snapshot(
            self.store.versions_under_way, renew=_VERSIONS_RENEW, oldest=_VERSIONS_OLDEST
        )
        object.__setattr__(self, "_under_way", snapshot)

    def faults(self) -> tuple[str, ...]:
        """Return what is missing, in French; nothing when ready."""
        if self.stopping.is_asked:
            return ("Ce processus s'arrête.",)
        try:
            revision, under_way = self.store.revision(), self._under_way.get()
        except StoreUnavailableError:
            return ("La base de données ne répond pas.",)
        faults = []
        if revision != self.head:
            faults.append(f"La base est à la migration {revision}, le code attend {self.head}.")
        faults.extend(
            f"Un parcours en cours demande {name} version {version}, que ce code n'a pas."
            for name, version in sorted(set(under_way) - set(self.versions))
        )
        return tuple(faults)

    def remarks(self) -> tuple[str, ...]:
        """Return what is not well and keeps nobody from being served, in French.

        Events are accepted while nothing wakes the workers: a broker that is away is no reason to
        send senders away.
        """
        remarks = (_KEYS_OLD,) if self.are_keys_old() else ()
        try:
            waited = self.store.oldest_wait_seconds()
        except StoreUnavailableError:
            return remarks
        if waited < _LONGEST_WAIT_SECONDS:
            return remarks
        where = "voyez les processus de travail, le relais et RabbitMQ"
        return (f"Des réveils attendent depuis {waited:.0f} s : {where}.", *remarks)
