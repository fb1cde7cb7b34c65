"""What is over is forgotten: forms past their hour, counters nothing looks at, old scan counts."""

from typing import Final

from orchestrator.store.connections import Database
from orchestrator.store.idempotency import IdempotencyTable
from orchestrator.store.identity_cases import forget_cases
from orchestrator.store.library import AttemptCounters, SignupTable
from orchestrator.store.realm_effects import forget_effects
from orchestrator.store.sessions import forget_sessions
from orchestrator.store.sign_in import forget_conversations
from orchestrator.store.staff_roles import StaffRoleTable
from orchestrator.store.vault import Vault

_SCANS: Final = "DELETE FROM scan_counter WHERE day < (parvis_now() - interval '25 months')::date"
_INBOX: Final = "DELETE FROM inbox WHERE seen_at < parvis_now() - interval '35 days'"


def forget(database: Database, vault: Vault) -> int:
    """Delete everything whose time is over; returns how many rows went."""
    gone = SignupTable(database=database, vault=vault).forget_expired()
    gone += AttemptCounters(database=database).forget_old()
    gone += IdempotencyTable(database=database).forget_old()
    gone += forget_conversations(database) + forget_sessions(database) + forget_cases(database)
    gone += forget_effects(database)
    gone += StaffRoleTable(database=database, vault=vault).forget_old()
    return gone + sum(database.run(sql) for sql in (_SCANS, _INBOX))
