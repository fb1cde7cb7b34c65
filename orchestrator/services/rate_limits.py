"""How much a partner may ask: counted in memory, per process, each process its share.

What must be exact (codes, sendings) is counted in rows elsewhere; this keeps one sender from
taking the place of the others, and tells it so before it happens. Windows are fixed; they are kept
for partners that proved who they are, so there are never more of them than partners.
"""

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from schemas import clock
from schemas.keys import keyed_digest

_PSEUDONYM_BYTES: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePolicy:
    """At most ``quota`` requests in ``window`` seconds, over all processes."""

    name: str
    quota: int
    window: int = 60

    def share(self, processes: int) -> "RatePolicy":
        """Return the part of one process out of several."""
        quota = max(1, self.quota // max(1, processes))
        return RatePolicy(name=self.name, quota=quota, window=self.window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left to one partner; ``resets_in`` seconds it is whole again."""

    policy: RatePolicy
    partition: str
    remaining: int
    resets_in: int
    is_exceeded: bool

    def headers(self) -> list[tuple[str, str]]:
        """Return the two fields of draft-ietf-httpapi-ratelimit-headers-10."""
        name, key = self.policy.name, f"pk=:{self.partition}:"
        quota = f'q={self.policy.quota};w={self.policy.window};qu="requests"'
        return [
            ("RateLimit-Policy", f'"{name}";{quota};{key}'),
            ("RateLimit", f'"{name}";r={self.remaining};t={self.resets_in};{key}'),
        ]


PER_PARTNER: Final = RatePolicy(name="default", quota=6_000)
EVERYBODY: Final = RatePolicy(name="hub", quota=120_000)


class RateLimits:
    """The counters of one process; made after the fork."""

    def __init__(
        self,
        *,
        bucket_key: bytes,
        processes: int = 1,
        partner: RatePolicy = PER_PARTNER,
        everybody: RatePolicy = EVERYBODY,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._bucket_key = bucket_key
        self._partner = partner.share(processes)
        self._everybody = everybody.share(processes)
        self._monotonic = monotonic
        self._windows: dict[str, _Window] = {}

    def take(self, partner_id: str) -> Allowance:
        """Count one request of a partner and return what is left, of its own or of everybody's."""
        own = self._taken(self._partner, partner_id)
        if own.is_exceeded:
            return own
        shared = self._taken(self._everybody, "")
        return shared if shared.is_exceeded else own

    def _taken(self, policy: RatePolicy, owner: str) -> Allowance:
        now = self._monotonic()
        window = self._windows.get(owner)
        if window is None:
            window = self._windows[owner] = _Window(self._partition(owner))
        if now >= window.ends_at:
            window.ends_at, window.count = now + policy.window, 0
        window.count += 1
        return Allowance(
            policy=policy,
            partition=window.partition,
            remaining=max(0, policy.quota - window.count),
            resets_in=max(1, math.ceil(window.ends_at - now)),
            is_exceeded=window.count > policy.quota,
        )

    def _partition(self, owner: str) -> str:
        digest = keyed_digest(self._bucket_key, b"rate", owner.encode())
        return base64.b64encode(digest[:_PSEUDONYM_BYTES]).decode()


class _Window:
    """What one owner asked since its window began."""

    __slots__ = ("count", "ends_at", "partition")

    def __init__(self, partition: str) -> None:
        self.partition = partition
        self.ends_at = -math.inf
        self.count = 0
