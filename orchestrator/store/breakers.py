"""The breaker of every system, a row shared by all processes: read once a second, written on change.

Each change of state is one statement, guarded by the state it changes, so that of many processes
that notice the same thing one writes it. The same statement leaves a line for the bus.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import structlog

from orchestrator.engine.breaker import CLOSED, Cause, Pace, Standing, State
from orchestrator.services.ports.breakers import BreakerRow, Pausing
from orchestrator.services.snapshots import Snapshot
from orchestrator.store.connections import Database
from schemas import clock

log = structlog.get_logger()
CHANGED: Final = "connector.state_changed.v1"
_EVENT: Final = """
INSERT INTO outbox(topic, key, payload)
SELECT %(topic)s, %(key)s, jsonb_build_object('data',
         jsonb_build_object('profile', c.profile, 'state', c.state)) FROM c"""
_OPEN: Final = f"""
WITH n AS (INSERT INTO breaker AS b (profile, state, failures, cause, reason, actor, version, opened_at,
             next_probe_at)
           VALUES (%(profile)s, 'open', 1, %(cause)s, %(reason)s, NULL, %(version)s, parvis_now(),
             parvis_now() + %(wait)s)
           ON CONFLICT (profile) DO UPDATE SET state = 'open', failures = b.failures + 1, probes = 0,
             cause = excluded.cause, reason = excluded.reason, actor = NULL, version = excluded.version,
             opened_at = CASE WHEN b.state = 'open' THEN b.opened_at ELSE parvis_now() END,
             next_probe_at = excluded.next_probe_at, trial_until = NULL, updated_at = parvis_now()
           WHERE b.state = 'closed' OR (b.state = 'half_open' AND %(from_half)s)
              OR (b.state <> 'closed' AND b.cause = 'outage' AND excluded.cause = 'access')
           RETURNING profile, state, opened_at = parvis_now() AS is_new),
     c AS (SELECT profile, state FROM n WHERE is_new),
     o AS ({_EVENT} RETURNING 1)
SELECT (SELECT count(*) FROM n) AS changed, (SELECT count(*) FROM o) AS told"""
_REOPEN: Final = f"""
WITH c AS (UPDATE breaker SET state = 'open', cause = 'outage', trial_until = NULL, reason = %(reason)s,
             opened_at = coalesce(opened_at, parvis_now()), failures = failures + 1,
             next_probe_at = parvis_now() + make_interval(secs =>
               least(%(most)s, %(first)s * power(2, least(probes, 20)))), updated_at = parvis_now()
            WHERE profile = %(profile)s AND state = 'half_open' RETURNING profile, state)
{_EVENT}"""
_HALF_OPEN: Final = f"""
WITH c AS (UPDATE breaker SET state = 'half_open', trial_until = NULL, actor = NULL,
             next_probe_at = parvis_now() + %(wait)s, updated_at = parvis_now()
            WHERE profile = %(profile)s AND state = 'open' AND cause <> 'hand' RETURNING profile, state)
{_EVENT}"""
_CLOSE: Final = f"""
WITH c AS (UPDATE breaker SET state = 'closed', failures = 0, probes = 0, cause = NULL, reason = NULL,
             actor = NULL, version = NULL, opened_at = NULL, next_probe_at = NULL, trial_until = NULL,
             updated_at = parvis_now()
            WHERE profile = %(profile)s AND state = ANY(%(from_states)s) AND cause <> 'hand'
           RETURNING profile, state)
{_EVENT}"""
_TRY: Final = """
UPDATE breaker SET trial_until = parvis_now() + %(lasts)s
 WHERE profile = %(profile)s AND state = 'half_open'
   AND (trial_until IS NULL OR trial_until <= parvis_now())"""
_CLAIM_PROBE: Final = """
UPDATE breaker SET probes = probes + 1, next_probe_at = parvis_now() + %(wait)s,
       version = coalesce(%(version)s, version),
       reason = CASE WHEN cause <> 'hand' THEN reason END,
       cause = CASE WHEN cause <> 'hand' THEN cause ELSE 'outage' END
 WHERE profile = %(profile)s AND state = %(state)s
   AND (cause <> 'hand' OR next_probe_at <= parvis_now())"""
_SLOW: Final = """
INSERT INTO breaker AS b (profile, slow_until) VALUES (%(profile)s, parvis_now() + %(wait)s)
ON CONFLICT (profile) DO UPDATE SET slow_until = excluded.slow_until
 WHERE b.slow_until IS NULL OR b.slow_until < excluded.slow_until"""
_PAUSE: Final = f"""
WITH n AS (INSERT INTO breaker AS b (profile, state, cause, reason, actor, opened_at, next_probe_at)
           VALUES (%(profile)s, 'open', 'hand', %(reason)s, %(actor)s, parvis_now(), %(until)s)
           ON CONFLICT (profile) DO UPDATE SET state = 'open', cause = 'hand', probes = 0,
             reason = excluded.reason, actor = excluded.actor, trial_until = NULL,
             opened_at = CASE WHEN b.state = 'open' THEN b.opened_at ELSE parvis_now() END,
             next_probe_at = excluded.next_probe_at, updated_at = parvis_now()
           RETURNING profile, state, opened_at = parvis_now() AS is_new),
     c AS (SELECT profile, state FROM n WHERE is_new),
     o AS ({_EVENT} RETURNING 1)
SELECT (SELECT count(*) FROM n) AS changed, (SELECT count(*) FROM o) AS told"""
_RESUME: Final = """
UPDATE breaker SET cause = 'outage', reason = NULL, actor = %(actor)s, probes = 0,
       next_probe_at = parvis_now(), updated_at = parvis_now()
 WHERE profile = %(profile)s AND state = 'open'"""
_ROWS: Final = """
SELECT p.id AS profile, p.connector, coalesce(b.state, 'closed') AS state, b.cause, b.reason, b.actor,
       b.version, coalesce(b.probes, 0) AS probes, b.opened_at, b.next_probe_at, b.trial_until,
       b.slow_until,
       EXISTS (SELECT FROM run r WHERE r.status IN ('waiting_timer', 'compensating')
                  AND r.wake_at IS NOT NULL AND r.waiting_for = 'system:' || p.id) AS is_awaited
  FROM profile p LEFT JOIN breaker b ON b.profile = p.id WHERE p.retired_at IS NULL ORDER BY p.id"""
_KNOWN: Final = """
SELECT profile, state, cause, trial_until, slow_until FROM breaker
 WHERE state <> 'closed' OR slow_until > parvis_now()"""


class BreakerStore:
    """Reads are cached for a second; writes happen on a change of state only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshot = Snapshot(self._known, renew=0.8, oldest=1.0)

    def standing(self, profile: str) -> Standing:
        """Return what is known of a system's breaker, at most a second old."""
        return self._snapshot.get().get(profile, CLOSED)

    def rows(self) -> list[BreakerRow]:
        """Return every system with its breaker, read now."""
        return [
            BreakerRow(
                **row
                | {"state": State(row["state"]), "cause": row["cause"] and Cause(row["cause"])}
            )
            for row in self._database.all(_ROWS)
        ]

    def open(
        self,
        profile: str,
        *,
        cause: Cause,
        reason: str,
        wait: timedelta,
        version: str | None = None,
    ) -> bool:
        """Open a closed breaker; ``reason`` holds no person's data.

        A breaker that is open for an outage turns to refused access too: it is then tried less often.
        """
        values = {"cause": cause, "reason": reason, "wait": wait, "version": version}
        return self._opened(profile, _OPEN, values | {"from_half": cause is Cause.ACCESS})

    def reopen(self, profile: str, *, reason: str, pace: Pace) -> bool:
        """Open a half-open breaker again, its trial failed; probes go on slowing down."""
        values = {"reason": reason, "first": pace.first, "most": pace.most}
        return self._changed(profile, State.OPEN, _REOPEN, values)

    def half_open(self, profile: str, *, wait: timedelta) -> bool:
        """Let one real call try an open breaker; ``wait`` is how long one is awaited."""
        return self._changed(profile, State.HALF_OPEN, _HALF_OPEN, {"wait": wait})

    def close(self, profile: str, *, after: tuple[State, ...] = (State.HALF_OPEN,)) -> bool:
        """Close a breaker that is in one of the states."""
        return self._changed(profile, State.CLOSED, _CLOSE, {"from_states": list(after)})

    def try_out(self, profile: str, *, lasts: timedelta) -> bool:
        """Claim the one call that tries a half-open breaker; False when another has it."""
        claimed = self._database.run(_TRY, {"profile": profile, "lasts": lasts})
        self._snapshot.forget()
        return bool(claimed)

    def claim_probe(
        self, profile: str, *, state: State, wait: timedelta, version: str | None = None
    ) -> bool:
        """Set the moment of the next probe before this one begins, so that nothing hurries them.

        A pause by hand whose end has come is over with it; until then no probe changes anything.
        """
        values = {"profile": profile, "state": state, "wait": wait, "version": version}
        return bool(self._database.run(_CLAIM_PROBE, values))

    def slow_down(self, profile: str, *, wait: timedelta) -> None:
        """Leave a system alone that asked for it; written once for all who were asked."""
        until = clock.utcnow() + wait
        known = self.standing(profile).slow_until
        if known is not None and known >= until - timedelta(seconds=1):
            return
        if self._database.run(_SLOW, {"profile": profile, "wait": wait}):
            log.warning("system.slowed", profile=profile, seconds=round(wait.total_seconds(), 1))
        self._snapshot.forget()

    def pause(self, pausing: Pausing) -> None:
        """Open a breaker by hand until a date."""
        values = {"reason": pausing.reason, "actor": pausing.actor, "until": pausing.until}
        self._opened(pausing.profile, _PAUSE, values)

    def resume(self, profile: str, *, actor: str) -> bool:
        """Have an open breaker tried at once; False when it is not open."""
        return bool(self._database.run(_RESUME, {"profile": profile, "actor": actor}))

    def _opened(self, profile: str, sql: str, values: dict[str, Any]) -> bool:
        row = self._database.one(sql, values | _event(profile))
        self._snapshot.forget()
        if row and row["told"]:
            cause = str(values.get("cause") or Cause.HAND)
            log.warning("system.state_changed", profile=profile, state="open", cause=cause)
        return bool(row and row["changed"])

    def _changed(self, profile: str, state: State, sql: str, values: dict[str, Any]) -> bool:
        changed = self._database.run(sql, values | _event(profile))
        self._snapshot.forget()
        if changed:
            log.warning("system.state_changed", profile=profile, state=state.value)
        return bool(changed)

    def _known(self) -> dict[str, Standing]:
        return {
            row["profile"]: Standing(
                state=State(row["state"]),
                cause=row["cause"] and Cause(row["cause"]),
                trial_until=row["trial_until"],
                slow_until=row["slow_until"],
            )
            for row in self._database.all(_KNOWN)
        }


def _event(profile: str) -> dict[str, Any]:
    """Return what the line for the bus needs; its key is the system's, always the same."""
    key = uuid5(NAMESPACE_URL, f"parvis:profile:{profile}")
    return {"profile": profile, "topic": CHANGED, "key": key}
