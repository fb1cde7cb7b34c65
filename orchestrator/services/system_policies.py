"""How patient we are with each system, and how many calls a second it gets.

Read once per configuration revision: the hub's policy, a system's own, an operation's own.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from orchestrator.engine.breaker import RAMP_MOST
from orchestrator.engine.retry import Cascade, RetryPolicy


class InForce(Protocol):
    """One revision of the configuration."""

    @property
    def policies(self) -> Mapping[str, Any]:
        """Its policies as written."""


class OfferInForce(Protocol):
    """The configuration in force."""

    def current(self) -> InForce:
        """Return the one in force."""


class SystemPolicies:
    """The policies of the configuration in force."""

    def __init__(self, offer: OfferInForce) -> None:
        self._offer = offer
        self._read: tuple[InForce, Cascade] | None = None

    def cascade(self) -> Cascade:
        """Return the retry policies in force."""
        current = self._offer.current()
        if self._read is None or self._read[0] is not current:
            self._read = (current, cascade_of(current.policies))
        return self._read[1]

    def most_per_second(self, profile: str) -> int:
        """Return how many waiting runs a system may be given per second."""
        return self.limit(profile) or RAMP_MOST

    def limit(self, profile: str) -> int | None:
        """Return how many calls a second a system takes; None when nobody said."""
        own = (self._offer.current().policies.get("profiles") or {}).get(profile) or {}
        return own.get("max_rps")


def cascade_of(policies: Mapping[str, Any]) -> Cascade:
    """Return the retry policies of a configuration; raises ConfigurationError when one is none."""
    profiles: Mapping[str, Mapping[str, Any]] = policies.get("profiles") or {}
    hub = policies.get("retry")
    return Cascade(
        hub=RetryPolicy.read(hub) if hub else None,
        profiles={
            name: RetryPolicy.read(own["retry"])
            for name, own in profiles.items()
            if own.get("retry")
        },
        operations={
            (name, operation): RetryPolicy.read(text)
            for name, own in profiles.items()
            for operation, text in (own.get("operations") or {}).items()
        },
    )
