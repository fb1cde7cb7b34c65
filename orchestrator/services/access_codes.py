"""Access codes: made from their row's id, never stored, used once.

A code opens a pre-registration and nothing else. Whoever guesses meets limits per session, per
network and overall; unknown, used and expired codes give the same answer by the same statement.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final
from uuid import UUID

from orchestrator.services.ports.library import AccessCodeRows, Attempts, IssuedCode, Limit
from schemas import ids
from schemas.keys import HubKeys, keyed_digest
from schemas.logins import Level

LENGTH: Final = 10
LOCKED_FOR: Final = timedelta(hours=1)
SESSION, NETWORK, OVERALL = "code.session", "code.network", "code.overall"


def code_of(keys: HubKeys, access_code_id: UUID) -> str:
    """Return the access code of a row: 10 Crockford characters (50 bits)."""
    digest = keyed_digest(keys.access_code, access_code_id.bytes)
    return ids.crockford(int.from_bytes(digest), LENGTH)


def digest_of(keys: HubKeys, code: str) -> bytes:
    """Return what a code is looked up by."""
    return keyed_digest(keys.code_digest, code.encode())


def shown(code: str) -> str:
    """Return a code as people read it: ``ABCDE-FGHJK``."""
    return f"{code[:5]}-{code[5:]}"


class Redemption(Enum):
    """What became of a typed code; ``REFUSED`` is one answer for unknown, used and expired.

    ``NOT_YET``, ``ALREADY_THERE`` and ``UNDER_REVIEW`` are for whoever is signed in and holds a good
    code, which stays good: a worker has the run in hand, the citizen has a place in that service
    already, or somebody else holds the record and an agent looks. ``NOT_PROVED_ENOUGH``: the service
    wants a better proof of who they are, and the code stays good too.
    """

    REDEEMED = "redeemed"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    TOO_MANY_TRIES = "too_many_tries"
    NOT_YET = "not_yet"
    ALREADY_THERE = "already_there"
    UNDER_REVIEW = "under_review"
    NOT_PROVED_ENOUGH = "not_proved_enough"


UseUp = Callable[[bytes], Redemption]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessLimits:
    """How many wrong codes are borne in an hour."""

    per_session: int = 5
    per_network: int = 10
    overall: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCodes:
    """Redeems codes and finds the one of a sign-up made on our own pages."""

    rows: AccessCodeRows
    attempts: Attempts
    keys: HubKeys
    limits: GuessLimits = GuessLimits()

    def redeem(
        self, typed: str, *, session: str, network: str, use_up: UseUp | None = None
    ) -> Redemption:
        """Use a code up and tell its run; only wrong codes count as tries.

        ``use_up`` does it for somebody who is signed in, by the code's digest.

        The try is counted before the look-up and given back when the code is right, so that
        guesses in parallel cannot slip past the limits.
        """
        code = ids.read_crockford(typed, LENGTH)
        if code is None:
            return Redemption.UNREADABLE
        limits = self._limits(session, network)
        if self.attempts.take(limits):
            return Redemption.TOO_MANY_TRIES
        outcome = (use_up or self._use_up)(digest_of(self.keys, code))
        if outcome is not Redemption.REFUSED:
            self.attempts.give_back(limits)
        return outcome

    def _use_up(self, digest: bytes) -> Redemption:
        """Use a code up for nobody: holding it proves a contact, and no more."""
        if self.rows.level_wanted(digest) > Level.CONTACT_PROVED:
            return Redemption.NOT_PROVED_ENOUGH
        return Redemption.REDEEMED if self.rows.redeem(digest) else Redemption.REFUSED

    def issued_for(self, source: str, subject: str) -> tuple[str, IssuedCode] | None:
        """Return the code of a pre-registration as shown, with its dates and library."""
        issued = self.rows.issued_for(source, subject)
        return (shown(code_of(self.keys, issued.access_code_id)), issued) if issued else None

    def _limits(self, session: str, network: str) -> tuple[Limit, ...]:
        asked = (
            (SESSION, session, self.limits.per_session),
            (NETWORK, network, self.limits.per_network),
            (OVERALL, "", self.limits.overall),
        )
        return tuple(bucket_of(self.keys, *one, within=LOCKED_FOR) for one in asked)


def bucket_of(keys: HubKeys, scope: str, value: str, at_most: int, *, within: timedelta) -> Limit:
    """Return a limit whose bucket hides the value it counts by."""
    digest = keyed_digest(keys.bucket, scope.encode(), value.encode())
    return Limit(scope=scope, bucket=digest, at_most=at_most, within=within)


__all__ = [
    "AccessCodes",
    "GuessLimits",
    "Redemption",
    "bucket_of",
    "code_of",
    "digest_of",
    "shown",
]
