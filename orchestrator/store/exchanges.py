"""Exchanges that no run's step made: probes, and what a connector does by the clock."""

from collections.abc import Sequence
from typing import Final

from orchestrator.store.connections import Database
from schemas import ids
from schemas.receipts import Exchange

_INSERT: Final = """
INSERT INTO exchange(id, step, profile, operation, address, status, outcome, idempotency_key,
                     asked_at, sent_at, answered_at, ended_at)
VALUES (%(id)s, %(step)s, %(profile)s, %(operation)s, %(address)s, %(status)s, %(outcome)s,
        %(key)s, %(asked_at)s, %(sent_at)s, %(answered_at)s, %(ended_at)s)"""


class ExchangeLog:
    """Writes exchanges without their bodies: there is no person whose key could seal them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, step: str, exchanges: Sequence[Exchange]) -> None:
        """Write what was exchanged."""
        for made in exchanges:
            values = {
                "id": ids.uuid7(),
                "step": step,
                "profile": made.profile,
                "operation": made.operation,
                "address": made.address,
                "status": made.status,
                "outcome": made.outcome,
                "key": made.idempotency_key,
                "asked_at": made.asked_at,
                "sent_at": made.sent_at,
                "answered_at": made.answered_at,
                "ended_at": made.ended_at,
            }
            self._database.run(_INSERT, values)
