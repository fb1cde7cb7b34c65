"""Answers of writes, kept for a day under a digest of who wrote what with which key."""

from dataclasses import dataclass
from typing import Final

from psycopg.types.json import Jsonb

from orchestrator.services.ports.idempotency import KeptAnswer, Seen
from orchestrator.store.connections import Database

# a row under way that is older than a minute belongs to a process that died: the next one takes it over
_BEGIN: Final = """
INSERT INTO idempotency_key AS k (digest, fingerprint) VALUES (%(digest)s, %(fingerprint)s)
    ON CONFLICT (digest) DO UPDATE
   SET fingerprint = excluded.fingerprint, status = NULL, answer = NULL, begun_at = parvis_now()
 WHERE k.begun_at < parvis_now() - interval '24 hours'
    OR (k.status IS NULL AND k.fingerprint = excluded.fingerprint
        AND k.begun_at < parvis_now() - interval '1 minute')
RETURNING 1 AS begun"""
_SEEN: Final = "SELECT fingerprint, status, answer FROM idempotency_key WHERE digest = %s"
_FINISH: Final = "UPDATE idempotency_key SET status = %s, answer = %s WHERE digest = %s"
_GIVE_UP: Final = "DELETE FROM idempotency_key WHERE digest = %s AND status IS NULL"
_FORGET: Final = "DELETE FROM idempotency_key WHERE begun_at < parvis_now() - interval '24 hours'"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyTable:
    """Implements ``ports.idempotency.IdempotencyRows``."""

    database: Database

    def begin(self, digest: bytes, *, fingerprint: bytes) -> Seen | None:
        """Note that a request begins; returns the earlier one of the same key when there is one."""
        with self.database.transaction() as connection:
            values = {"digest": digest, "fingerprint": fingerprint}
            if connection.execute(_BEGIN, values).fetchone() is not None:
                return None
            row = connection.execute(_SEEN, (digest,)).fetchone()
        if row is None or row["status"] is None:
            return Seen(fingerprint=bytes(row["fingerprint"]) if row else fingerprint, kept=None)
        kept = KeptAnswer(status=row["status"], answer=row["answer"])
        return Seen(fingerprint=bytes(row["fingerprint"]), kept=kept)

    def finish(self, digest: bytes, kept: KeptAnswer) -> None:
        """Keep what it was answered."""
        self.database.run(_FINISH, (kept.status, Jsonb(dict(kept.answer)), digest))

    def give_up(self, digest: bytes) -> None:
        """Forget a request that had no effect."""
        self.database.run(_GIVE_UP, (digest,))

    def forget_old(self) -> int:
        """Delete the answers whose day is over; returns how many."""
        return self.database.run(_FORGET)
