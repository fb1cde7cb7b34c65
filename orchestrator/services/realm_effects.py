"""The realm is told of each login that was taken away: its link goes, its account's sessions end.

The act and its effect were committed together; here the effect is carried out, as often as it takes. It may
run twice: what is gone already is well.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from orchestrator.engine.retry import DEFAULT, RetryPolicy
from orchestrator.services.ports.realm_effects import RealmAccounts, RealmEffect, RealmEffectRows
from schemas.errors import IdentityUnavailableError, ParvisError, Recovery

LOOK_AGAIN: Final = timedelta(minutes=15)
"""How often a realm that refuses us is asked all the same: once it is mended, nobody has to say so."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmEffects:
    """Carries out what is due; ``accounts`` opens a conversation with the realm whose URL is ``issuer``.

    While the city names no realm (None) everything waits.
    """

    rows: RealmEffectRows
    issuer: str | None
    accounts: Callable[[], RealmAccounts]
    policy: RetryPolicy = field(default_factory=lambda: RetryPolicy.read(DEFAULT))

    def carry_out(self) -> int:
        """Tell the realm everything that is due; returns how much it was told.

        The first failure ends the round: the others would meet the same one.
        """
        told = 0
        while self.issuer and (effect := self.rows.claim(self.issuer)):
            try:
                if effect.link is not None:
                    self.accounts().take_away(effect.link)
            except ParvisError as error:
                self._failed(effect, error)
                break
            self.rows.done(effect.id)
            told += 1
        return told

    def _failed(self, effect: RealmEffect, error: ParvisError) -> None:
        fault = error.detail or error.title
        delay = self.policy.delay_after(effect.failures + 1)
        if error.recovery is Recovery.PAUSE:
            self.rows.pause(effect.id, after=LOOK_AGAIN, fault=fault)
        elif delay is None:
            self.rows.give_up(effect.id, fault=fault)
        else:
            self.rows.again(effect.id, after=timedelta(seconds=delay), fault=fault)
        is_usual = isinstance(error, IdentityUnavailableError) and delay is not None
        say = _log.info if is_usual else _log.warning
        say("realm.not_told", effect=str(effect.id), error=type(error).__name__)


__all__ = ["LOOK_AGAIN", "RealmEffects"]
