"""How much a partner may ask: counted in memory, per process, each process its share.

What must be exact (codes, sendings) is counted in rows elsewhere; this keeps one sender from
taking the place of the others, and tells it so before it happens.
"""

import base64
import math
import time
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

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
    ) -> None:
        self._bucket_key = bucket_key
        self._counters = FixedWindowRateLimiter(MemoryStorage())
        self._partner = partner.share(processes)
        self._everybody = everybody.share(processes)
        self._items = {
            policy: RateLimitItemPerSecond(policy.quota, policy.window, namespace=policy.name)
            for policy in (self._partner, self._everybody)
        }
        self._partitions: dict[str, str] = {}

    def take(self, partner_id: str) -> Allowance:
        """Count one request of a partner and return what is left, of its own or of everybody's."""
        own = self._taken(self._partner, partner_id)
        if own.is_exceeded:
            return own
        shared = self._taken(self._everybody, "")
        return shared if shared.is_exceeded else own

    def _taken(self, policy: RatePolicy, owner: str) -> Allowance:
        item = self._items[policy]
        is_within = self._counters.hit(item, owner)
        stats = self._counters.get_window_stats(item, owner)
        return Allowance(
            policy=policy,
            partition=self._partition(owner),
            remaining=max(0, stats.remaining) if is_within else 0,
            resets_in=max(1, math.ceil(stats.reset_time - time.time())),
            is_exceeded=not is_within,
        )

    def _partition(self, owner: str) -> str:
        if owner not in self._partitions:
            digest = keyed_digest(self._bucket_key, b"rate", owner.encode())
            encoded = base64.b64encode(digest[:_PSEUDONYM_BYTES]).decode()
            self._partitions[owner] = encoded
        return self._partitions[owner]
